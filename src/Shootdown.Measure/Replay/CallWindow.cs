namespace Shootdown.Measure;

/// <summary>A system call whose result decides what it does.</summary>
internal sealed class OpenCall
{
    /// <summary>Its begin, with the arguments.</summary>
    public required TraceEvent Enter { get; init; }

    /// <summary>What it returned; valid once <see cref="HasReturned"/>.</summary>
    public long Result { get; set; }

    /// <summary>True if its end is in the trace.</summary>
    public bool HasReturned { get; set; }

    /// <summary>True if its end will not come.</summary>
    public bool IsLost { get; set; }

    /// <summary>True if its end came too late: it is carried out there.</summary>
    public bool IsLate { get; set; }

    /// <summary>Number of its begin among the events.</summary>
    public required long BeginsAt { get; init; }

    /// <summary>Number of the event at which it is carried out.</summary>
    public long RunsAt { get; set; }

    private long _firstRunNs = -1;
    private long _resumedNs = -1;
    private long _resumedAt;

    /// <summary>Its thread leaves the CPU. If it blocks it has waited for a lock, most likely mmap_lock, and what it does is still to come.</summary>
    public void Stop(in TraceEvent change)
        => _firstRunNs = (char)change.A4 != 'R' ? 0 : _firstRunNs < 0 ? change.TimeNs - Enter.TimeNs : _firstRunNs;

    /// <summary>Its thread gets a CPU again.</summary>
    public void Resume(in TraceEvent change, long number) => (_resumedNs, _resumedAt) = (change.TimeNs, number);

    /// <summary>It has ended: it is carried out at its begin, or where its thread last got a CPU if it has run longer from there on than at first.</summary>
    public void ChooseTime(long endNs) => RunsAt = _resumedNs < 0 || _firstRunNs > endNs - _resumedNs ? BeginsAt : _resumedAt;
}

/// <summary>
/// Holds events back until the results of the calls among them are known. A call changes page tables between its begin and its end, and
/// what it does depends on its result (where mmap maps, whether munmap failed): so it is carried out at its begin, or where its
/// thread last got a CPU, whichever it ran longer behind (at its end if it maps), with the result that stands later in the trace. Memory is
/// bounded: a call that has not returned after <see cref="EventsMax"/> events is carried out at its end.
/// </summary>
internal sealed class CallWindow
{
    /// <summary>Events that are held back at most.</summary>
    public const int EventsMax = 1 << 14;

    private readonly Queue<(TraceEvent Event, OpenCall? Begins)> _events = new();
    private readonly Dictionary<int, OpenCall> _open = [];
    private readonly Dictionary<long, OpenCall> _runsAt = [];
    private long _first;

    /// <summary>Takes the next event of the trace.</summary>
    public void Add(in TraceEvent next)
    {
        long number = _first + _events.Count;
        OpenCall? begins = null;
        if (next.Kind == TraceEventKind.SchedSwitch)
        {
            if (_open.TryGetValue((int)next.A0, out OpenCall? stopped))
            {
                stopped.Stop(next);
            }

            if (_open.TryGetValue((int)next.A1, out OpenCall? resumed))
            {
                resumed.Resume(next, number);
            }
        }
        else if (next.Kind is TraceEventKind.SyscallEnter or TraceEventKind.SyscallExit or TraceEventKind.PageFault or TraceEventKind.Exit
            && _open.Remove(next.Tid, out OpenCall? ended))
        {
            End(ended, next, number);
        }

        if (next.Kind == TraceEventKind.SyscallEnter && NeedsResult(next.Call))
        {
            begins = new OpenCall { Enter = next, BeginsAt = number };
            _open[next.Tid] = begins;
        }

        _events.Enqueue((next, begins));
    }

    /// <summary>The next event that can be carried out, and the call that is carried out with it; false if more of the trace is needed.</summary>
    /// <param name="next">The event.</param>
    /// <param name="runs">A call to carry out after it; null for none.</param>
    /// <param name="isEnd">True if the trace has ended: calls that have not returned never do.</param>
    public bool TryTake(out TraceEvent next, out OpenCall? runs, bool isEnd = false)
    {
        runs = null;
        next = default;
        if (!_events.TryPeek(out (TraceEvent Event, OpenCall? Begins) head))
        {
            return false;
        }

        if (head.Begins is { HasReturned: false, IsLost: false, IsLate: false } open)
        {
            if (!isEnd && _events.Count < EventsMax)
            {
                return false;
            }

            open.IsLate = true;
        }

        _events.Dequeue();
        next = head.Event;
        _runsAt.Remove(_first++, out runs);
        return true;
    }

    private void End(OpenCall call, in TraceEvent next, long number)
    {
        if (next.Kind != TraceEventKind.SyscallExit || next.Call != call.Enter.Call)
        {
            call.IsLost = true;
            return;
        }

        call.HasReturned = true;
        call.Result = next.A0;

        // A call that maps waits for mmap_lock first, and then has little to do: it is carried out at its end.
        bool maps = call.Enter.Call is MemoryCall.Mmap or MemoryCall.Brk;
        call.ChooseTime(next.TimeNs);
        call.RunsAt = call.IsLate || maps ? number : call.RunsAt;
        _runsAt[call.RunsAt] = call;
    }

    private static bool NeedsResult(MemoryCall call) => call is MemoryCall.Mmap or MemoryCall.Munmap or MemoryCall.Madvise or MemoryCall.Mprotect
        or MemoryCall.PkeyMprotect or MemoryCall.Mremap or MemoryCall.Brk;
}
