using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>One removal that CPUs have yet to follow (<c>latr_state</c> of the paper), in the queue of the CPU that made it.</summary>
internal sealed class LatrState : MachineHandle
{
    internal LatrState(MachineModel machine, string name)
        : base(machine)
    {
        Used = machine.NewWord($"{name}.used");
        CpuMask = machine.NewCpuMask($"{name}.cpumask");
        Info = machine.NewWord($"{name}.info");
        Wide = machine.Timed is null ? null : machine.NewWord($"{name}.range");
        Promise = machine.NewWord($"{name}.promise");
        Tables = machine.NewWord($"{name}.tables");
        Frames = new HeldFrames(machine, machine.NewWord($"{name}.pages"));
    }

    /// <summary>0 if the place in the queue is free, else 1 + the address space whose addresses are kept.</summary>
    internal Word Used { get; }

    /// <summary>CPUs that have not swept yet. Written last when the state is made; whoever takes the last bit away owns the state.</summary>
    internal CpuMask CpuMask { get; }

    /// <summary>The flush, as <see cref="FlushTlbInfo"/>.</summary>
    internal Word Info { get; }

    /// <summary>What <see cref="Info"/> cannot hold; null on small machines.</summary>
    internal Word? Wide { get; }

    /// <summary>1 + the number of munmap's promise; 0 if it was kept when it returned.</summary>
    internal Word Promise { get; }

    /// <summary>Page tables to free, as a bit mask; machines of real size have <see cref="TableList"/>.</summary>
    internal Word Tables { get; }

    /// <summary>Page tables to free on a machine of real size.</summary>
    internal List<int> TableList { get; } = [];

    /// <summary>The addresses that are kept, on a machine of real size.</summary>
    internal PageRange Kept { get; set; }

    /// <summary>Frames of which a reference is to be dropped.</summary>
    internal HeldFrames Frames { get; }
}
