using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>What a timed machine tells while it runs. Times are virtual nanoseconds.</summary>
public interface ITimedTrace
{
    /// <summary>The tracepoint tlb:tlb_flush.</summary>
    void TlbFlush(Cpu cpu, long time, TlbFlushReason reason, long pages);

    /// <summary>The tracepoint ipi:ipi_send_cpumask (or ipi_send_cpu, for one target).</summary>
    void IpiSent(Cpu cpu, long time, CpuSet targets);

    /// <summary>A handler of a cross-call ran.</summary>
    void Handler(Cpu cpu, long start, long end, Cpu sender);

    /// <summary>A system call, fault or other span of a program ran.</summary>
    void Span(Cpu cpu, long start, long end, string name);
}
