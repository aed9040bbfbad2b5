namespace Shootdown.Machine;

/// <summary>A cross-call function that is one indivisible step on its target.</summary>
public abstract class AtomicHandler(MachineModel machine) : MachineHandle(machine)
{
    /// <summary>Name for reports.</summary>
    public abstract string Name { get; }

    /// <summary>True if the argument is 0 or 1 + a page; the arguments of all functions of a machine then must be.</summary>
    public virtual bool ArgumentIsPage => false;

    /// <summary>Runs on the target.</summary>
    public abstract void Run(MachineState state, Cpu self, Cpu sender);

    /// <summary>What <see cref="Run"/> may touch on a target.</summary>
    public abstract void AddFootprint(Footprint footprint, Cpu self);
}
