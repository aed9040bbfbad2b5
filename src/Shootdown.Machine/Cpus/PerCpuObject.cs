namespace Shootdown.Machine;

/// <summary>
/// An object of which every CPU has one (<c>DEFINE_PER_CPU</c>). Whoever uses it must run on its CPU and stay there: with
/// preemption or interrupts off. Its words are ordinary ones, because a task that moved may touch them.
/// </summary>
public sealed class PerCpuObject : MachineHandle
{
    /// <summary>The object of one CPU.</summary>
    /// <param name="owner">The CPU.</param>
    /// <param name="name">Name for reports, e.g. <c>mmu_gathers</c>.</param>
    public PerCpuObject(Cpu owner, string name)
        : base(Of(owner))
    {
        Owner = owner;
        Name = name;
    }

    /// <summary>The CPU that it belongs to.</summary>
    public Cpu Owner { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    internal Operation Use(Cpu cpu) => new UseOperation(this, cpu);

    private static MachineModel Of(Cpu owner)
    {
        ArgumentNullException.ThrowIfNull(owner);
        return owner.Machine;
    }

    private sealed class UseOperation(PerCpuObject used, Cpu cpu) : Operation
    {
        public override string Text => $"this_cpu_ptr({used.Name}) of {used.Owner}";

        public override StepWeight Weight => StepWeight.Context;

        public override long Execute(MachineState state, int alternative)
        {
            bool mayMove = AtomicContext.ReasonOn(state, cpu) is null;
            foreach (MachineMonitor monitor in cpu.Machine.Monitors)
            {
                monitor.OnPerCpuUse(state, cpu, used, mayMove);
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint) => AtomicContext.AddFootprint(footprint, cpu);
    }
}
