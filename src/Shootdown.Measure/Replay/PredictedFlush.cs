namespace Shootdown.Measure;

/// <summary>One flush of an address space, as the replayed kernel makes it.</summary>
/// <param name="TimeNs">When: nanoseconds since the first call, fault, switch, fork or exit of the trace.</param>
/// <param name="Cpu">The initiator's CPU.</param>
/// <param name="Tid">The initiator.</param>
/// <param name="Pages">Pages as <c>localmm</c> reports them, in units of the stride; -1 for a full flush.</param>
/// <param name="HasLocal">True if the initiator flushes its own TLB (<c>TLB_LOCAL_MM_SHOOTDOWN</c>).</param>
/// <param name="HasSendIpi">True if mm_cpumask holds other CPUs (<c>TLB_REMOTE_SEND_IPI</c>).</param>
/// <param name="Remote">CPUs that are interrupted and flush (<c>TLB_REMOTE_SHOOTDOWN</c>).</param>
/// <param name="Interrupts">CPUs that are interrupted; more than <paramref name="Remote"/> if lazy CPUs are among them.</param>
/// <param name="LazySpared">Lazy CPUs that have the address space loaded and are not interrupted.</param>
public readonly record struct PredictedFlush(
    long TimeNs, int Cpu, int Tid, long Pages, bool HasLocal, bool HasSendIpi, int Remote, int Interrupts, int LazySpared);
