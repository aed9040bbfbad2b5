namespace Shootdown.Measure;

/// <summary>
/// Predicts TLB flushes from what happens before them: system calls, faults, context switches. Never sees flushes or
/// interrupts. Times are those of the trace.
/// </summary>
public interface IShootdownModel
{
    /// <summary>A system call begins.</summary>
    void OnSyscallEnter(in TraceEvent call);

    /// <summary>A system call ends; its flushes, if not predicted before, are predicted now.</summary>
    void OnSyscallExit(in TraceEvent call, IPredictedFlushes flushes);

    /// <summary>User code faults.</summary>
    void OnFault(in TraceEvent fault, IPredictedFlushes flushes);

    /// <summary>A CPU changes its task.</summary>
    void OnSwitch(in TraceEvent change, IPredictedFlushes flushes);

    /// <summary>A task is created.</summary>
    void OnFork(in TraceEvent fork, IPredictedFlushes flushes);

    /// <summary>A task ends.</summary>
    void OnExit(in TraceEvent exit, IPredictedFlushes flushes);
}

/// <summary>Takes predicted flushes.</summary>
public interface IPredictedFlushes
{
    /// <summary>Takes one.</summary>
    void Add(in PredictedFlush flush);
}

/// <summary>One flush of an address space, as a model predicts it.</summary>
/// <param name="TimeNs">When.</param>
/// <param name="Cpu">The initiator's CPU.</param>
/// <param name="Tid">The initiator.</param>
/// <param name="Pages">Pages as <c>localmm</c> reports them, in units of the stride; -1 for a full flush.</param>
/// <param name="HasLocal">True if the initiator flushes its own TLB (<c>TLB_LOCAL_MM_SHOOTDOWN</c>).</param>
/// <param name="HasSendIpi">True if mm_cpumask holds other CPUs (<c>TLB_REMOTE_SEND_IPI</c>).</param>
/// <param name="Remote">CPUs that are interrupted and flush (<c>TLB_REMOTE_SHOOTDOWN</c>).</param>
/// <param name="Interrupts">CPUs that are interrupted; more than <paramref name="Remote"/> if lazy CPUs are among them.</param>
/// <param name="LazySpared">Lazy CPUs of the mask that are not interrupted.</param>
public readonly record struct PredictedFlush(
    long TimeNs, int Cpu, int Tid, long Pages, bool HasLocal, bool HasSendIpi, int Remote, int Interrupts, int LazySpared);
