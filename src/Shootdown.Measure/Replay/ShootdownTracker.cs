using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>A shootdown that is under way: sent, and not yet answered by all.</summary>
internal sealed class OpenShootdown
{
    public required CauseRow Cause { get; init; }

    public required ThreadRow Initiator { get; init; }

    public required int Tid { get; init; }

    public required int Cpu { get; init; }

    public required long SentNs { get; init; }

    public required int Size { get; init; }

    public required bool IsSelected { get; init; }

    public long LastAnswerNs { get; set; }

    public int Answers { get; set; }

    /// <summary>CPUs that have answered, of the first 512: each answers once.</summary>
    public CpuSet Answered { get; set; }
}

/// <summary>
/// Finds the shootdown that a flush in an interrupted CPU belongs to. The kernel does not say; a shootdown is open from its
/// send until its CPU does something else: the initiator waits with preemption off, so that only interrupts run there.
/// </summary>
internal sealed class ShootdownTracker
{
    /// <summary>A wait can be no longer than this; an initiator that is never heard of again must not stay.</summary>
    private const long OpenMaxNs = 10_000_000_000;

    private readonly List<OpenShootdown> _open = [];

    /// <summary>Opens a shootdown. The one of the same CPU before it is closed and returned.</summary>
    public OpenShootdown? Open(OpenShootdown shootdown)
    {
        OpenShootdown? before = Close(shootdown.Cpu);
        _open.RemoveAll(old => shootdown.SentNs - old.SentNs > OpenMaxNs);
        _open.Add(shootdown);
        return before;
    }

    /// <summary>True if an event on a CPU shows that it waits for no answers any more.</summary>
    public static bool IsProgress(in TraceEvent next) => next.Kind switch
    {
        TraceEventKind.SyscallEnter or TraceEventKind.SyscallExit or TraceEventKind.PageFault or TraceEventKind.KernelFault or TraceEventKind.SchedSwitch
            or TraceEventKind.Fork or TraceEventKind.Exit => true,
        TraceEventKind.TlbFlush => next.A0 == (long)FlushReason.TaskSwitch,
        _ => false,
    };

    /// <summary>The CPU goes on: its shootdown is over.</summary>
    public OpenShootdown? Close(int cpu)
    {
        for (int i = 0; i < _open.Count; i++)
        {
            if (_open[i].Cpu == cpu)
            {
                OpenShootdown closed = _open[i];
                _open.RemoveAt(i);
                return closed;
            }
        }

        return null;
    }

    /// <summary>The oldest open shootdown that this CPU has not answered yet; null if there is none.</summary>
    public OpenShootdown? Answer(int cpu, long timeNs)
    {
        foreach (OpenShootdown shootdown in _open)
        {
            bool has = IsKnown(cpu) && shootdown.Answered.Contains(cpu);
            if (shootdown.Cpu != cpu && !has)
            {
                shootdown.Answers++;
                shootdown.LastAnswerNs = timeNs;
                shootdown.Answered = IsKnown(cpu) ? shootdown.Answered.With(cpu) : shootdown.Answered;
                return shootdown;
            }
        }

        return null;
    }

    /// <summary>All that are open at the end of the trace.</summary>
    public IReadOnlyList<OpenShootdown> Rest => _open;

    private static bool IsKnown(int cpu) => cpu is >= 0 and < CpuSet.CpusMax;
}
