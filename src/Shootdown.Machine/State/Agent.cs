namespace Shootdown.Machine;

/// <summary>What kind of thing moves.</summary>
public enum AgentKind
{
    /// <summary>A task or kernel thread on a CPU; it stands still while its CPU handles an interrupt.</summary>
    Task,

    /// <summary>The interrupt context of a CPU.</summary>
    Interrupt,

    /// <summary>Hardware that only consumes what programs produced (a store buffer, RCU callbacks): it cannot run for ever by itself.</summary>
    Reactive,

    /// <summary>Hardware that may move for ever by itself: an explicit TLB, a device.</summary>
    Hardware,
}

/// <summary>One thread of control of the machine. Immutable handle; where it stands lives in the state.</summary>
public sealed class Agent : MachineHandle
{
    internal Agent(MachineModel machine, int index, string name, AgentKind kind, Cpu? cpu, bool mayStop)
        : base(machine)
    {
        Index = index;
        Name = name;
        Kind = kind;
        Cpu = cpu;
        MayStop = mayStop;
    }

    /// <summary>Position in <see cref="MachineModel.Agents"/>.</summary>
    public int Index { get; }

    /// <summary>Role for the diagram's header, e.g. <c>madvise</c>.</summary>
    public string Name { get; }

    /// <summary>Kind of agent.</summary>
    public AgentKind Kind { get; }

    /// <summary>The CPU it runs on; null for devices.</summary>
    public Cpu? Cpu { get; }

    /// <summary>True if it may be blocked for ever without that being a deadlock (interrupt contexts, daemons).</summary>
    public bool MayStop { get; }

    /// <summary>True for a task that is bound to no CPU (<see cref="MovableTask"/>).</summary>
    public bool IsMovable => PlaceAddress >= 0;

    /// <summary>Address of the word that says on which CPU a movable task runs (0 for none, else 1 + the CPU); -1 for all others.</summary>
    internal int PlaceAddress { get; set; } = -1;

    /// <summary>Its first local state.</summary>
    public LocalState Initial { get; internal set; } = null!;

    /// <summary>The counters of functions that are called before its first operation; null for none.</summary>
    internal int[]? InitialCalls { get; set; }

    /// <summary>The functions that are called before its first operation.</summary>
    internal IReadOnlyList<string> InitialCallNames { get; set; } = [];

    /// <inheritdoc/>
    public override string ToString() => Cpu is null ? Name : $"{Cpu} ({Name})";
}
