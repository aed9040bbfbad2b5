using Shootdown.Machine;
using RootSpace = Shootdown.Machine.AddressSpace;

namespace Shootdown.Measure;

/// <summary>What a CPU of a timed machine is at, and what it has counted.</summary>
public sealed class TimedCpu
{
    internal TimedCpu(Cpu cpu, CpuTlb tlb)
    {
        Cpu = cpu;
        Tlb = tlb;
    }

    /// <summary>The CPU.</summary>
    public Cpu Cpu { get; }

    /// <summary>Interrupts for TLB flushes (the TLB row of /proc/interrupts).</summary>
    public long TlbInterrupts { get; internal set; }

    /// <summary>Cross-calls that this CPU received, for whatever reason.</summary>
    public long Interrupts { get; internal set; }

    /// <summary>Nanoseconds that handlers took from what the CPU was doing.</summary>
    public long StolenNs { get; internal set; }

    /// <summary>Nanoseconds that this CPU waited for answers to its cross-calls.</summary>
    public long IpiWaitNs { get; internal set; }

    /// <summary>Nanoseconds that this CPU waited for locks.</summary>
    public long LockWaitNs { get; internal set; }

    /// <summary>TLB misses.</summary>
    public long Misses { get; internal set; }

    /// <summary>TLB misses of translations that were there until a flush took them away.</summary>
    public long Refills { get; internal set; }

    /// <summary>Nanoseconds of page walks for <see cref="Refills"/>.</summary>
    public long RefillNs { get; internal set; }

    /// <summary>Full flushes of this CPU.</summary>
    public long FullFlushes { get; internal set; }

    /// <summary>Single-page invalidations of this CPU.</summary>
    public long PageFlushes { get; internal set; }

    /// <summary>Broadcast invalidations that this CPU asked for.</summary>
    public long Broadcasts { get; internal set; }

    /// <summary>User accesses.</summary>
    public long Accesses { get; internal set; }

    /// <summary>Page faults.</summary>
    public long Faults { get; internal set; }

    internal CpuTlb Tlb { get; }

    /// <summary>True while it runs user code that no program stands for (<see cref="TimedMachine.AdvanceTo"/>).</summary>
    internal bool RunsUserCode { get; set; }

    internal TimedTask? Task { get; set; }

    internal Func<Proc>? Program { get; set; }

    internal RootSpace? Space { get; set; }

    internal int Asid { get; set; }

    internal bool InterruptsOff { get; set; }

    /// <summary>When its last handler ended.</summary>
    internal long HandlerEnd { get; set; }

    /// <summary>What handlers took from the work that is under way.</summary>
    internal long Delay { get; set; }

    /// <summary>True while it waits for somebody else: handlers then cost it nothing.</summary>
    internal bool Waits { get; set; }

    internal long WaitsSince { get; set; }

    internal ulong IpiArgument { get; set; }

    internal ulong IpiWide { get; set; }

    internal long AcknowledgedAt { get; set; }

    internal long Result { get; set; }

    /// <summary>A lock to take when it goes on; null if there is none.</summary>
    internal Word? LockToTake { get; set; }
}
