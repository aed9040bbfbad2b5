using System.Runtime.InteropServices;

namespace Shootdown.Measure;

/// <summary>
/// Sums up what a trace recorded, event by event: each flush is charged to the operation that its thread was in. Events come marked by
/// <see cref="TaskSelection"/>.
/// </summary>
internal sealed partial class TraceAnalysis(NameTable names)
{
    private static readonly string[] SizeNames = ["tables only", "1 page", "2 to 8 pages", "9 to 33 pages", "everything"];

    /// <summary>tlb_single_page_flush_ceiling: more pages than this are a full flush.</summary>
    private const int FlushCeiling = 33;

    private readonly Dictionary<int, ThreadState> _threads = [];
    private readonly Dictionary<string, CauseRow> _causes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _sites = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CallRow> _calls = new(StringComparer.Ordinal);
    private readonly long[][] _sizes = [.. SizeNames.Select(_ => new long[3])];
    private readonly ShootdownTracker _open = new();
    private readonly HeatMap _heat = new();
    private readonly Timeline _timeline = new();
    private readonly Dictionary<int, (long StartNs, ThreadState? Thread)> _interrupts = [];

    /// <summary>Recorded flushes of the selection.</summary>
    public FlushCounts Counts { get; } = new();

    /// <summary>Kinds of events that were seen, by number.</summary>
    public long[] Kinds { get; } = new long[(int)TraceEventKind.Other + 1];

    public long SelectedEvents { get; private set; }

    public long TaskSwitchFlushes { get; private set; }

    public long LazySwitches { get; private set; }

    public long Unmatched { get; private set; }

    public long WrongCpu { get; private set; }

    public long FirstNs { get; private set; } = long.MaxValue;

    public long LastNs { get; private set; }

    public int CpusSeen { get; private set; }

    public bool HasStacks { get; private set; }

    /// <summary>True if the trace has all that a prediction needs but CPU numbers.</summary>
    public bool CanPredict => Has(TraceEventKind.SyscallExit) && Has(TraceEventKind.PageFault) && Has(TraceEventKind.SchedSwitch);

    public bool HasInterruptEnds => Kinds[(int)TraceEventKind.InterruptExit] > 0;

    public IReadOnlyList<CauseRow> Causes => [.. _causes.Values.OrderByDescending(c => c.Remote)
        .ThenByDescending(c => c.Flushes).ThenBy(c => c.Cause, StringComparer.Ordinal)];

    public IReadOnlyList<SizeRow> Sizes => [.. SizeNames.Select((name, i) => new SizeRow(name, _sizes[i][0], _sizes[i][1], _sizes[i][2]))];

    public IReadOnlyList<ThreadRow> Threads
        => [.. _threads.Values.Select(t => t.Row).Where(r => r.Shootdowns + r.Received > 0)
            .OrderByDescending(r => r.Sent).ThenByDescending(r => r.Received).ThenBy(r => r.Tid)];

    public IReadOnlyList<SiteRow> Sites => [.. _sites.OrderByDescending(s => s.Value).ThenBy(s => s.Key, StringComparer.Ordinal)
        .Select(s => new SiteRow(s.Key, s.Value))];

    public IReadOnlyList<CallRow> Calls => [.. _calls.Values.OrderByDescending(c => c.Count).ThenBy(c => c.Call, StringComparer.Ordinal)];

    public IReadOnlyList<long[]> Heat => _heat.Rows(CpusSeen);

    public TimelineData Timeline => _timeline.Data;

    /// <summary>True if an event of a kind was seen.</summary>
    public bool Has(TraceEventKind kind) => Kinds[(int)kind] > 0;

    /// <summary>Takes an event.</summary>
    public void Add(in TraceEvent next)
    {
        Kinds[(int)next.Kind]++;
        if (next.Kind == TraceEventKind.StackFrame)
        {
            AddFrame(next);
            return;
        }

        EndStack(next.Cpu);
        FirstNs = Math.Min(FirstNs, next.TimeNs);
        LastNs = Math.Max(LastNs, next.TimeNs);
        CpusSeen = Math.Max(CpusSeen, next.Cpu + 1);
        ThreadState thread = Thread(next);
        if (ShootdownTracker.IsProgress(next))
        {
            Settle(_open.Close(next.Cpu));
        }

        SelectedEvents += thread.IsSelected ? 1 : 0;
        switch (next.Kind)
        {
            case TraceEventKind.SyscallEnter:
                thread.Call = next;
                thread.Operation = null;
                thread.InCall = true;
                CountCall(thread, next);
                break;
            case TraceEventKind.SyscallExit:
                EndCall(thread, next);
                break;
            case TraceEventKind.PageFault:
                thread.InCall = false;
                thread.Operation = OperationNames.OfFault(next.A1);
                break;
            case TraceEventKind.KernelFault when !thread.InCall:
                thread.Operation = OperationNames.OfFault(next.A1);
                break;
            case TraceEventKind.SchedSwitch:
                LazySwitches += next.A1 == 0 && next.A0 != 0 ? 1 : 0;
                break;
            case TraceEventKind.TlbFlush:
                AddFlush(thread, next);
                break;
            case TraceEventKind.InterruptEnter:
                _interrupts[next.Cpu] = (next.TimeNs, null);
                break;
            case TraceEventKind.InterruptExit:
                EndInterrupt(next);
                break;
            default:
                break;
        }
    }

    /// <summary>The trace is over.</summary>
    public void Finish()
    {
        EndStacks();
        foreach (OpenShootdown shootdown in _open.Rest)
        {
            Settle(shootdown);
        }
    }

    private void AddFlush(ThreadState thread, in TraceEvent flush)
    {
        switch ((FlushReason)flush.A0)
        {
            case FlushReason.TaskSwitch:
                TaskSwitchFlushes += thread.IsSelected && flush.A1 == -1 ? 1 : 0;
                break;
            case FlushReason.RemoteShootdown:
                Receive(thread, flush);
                break;
            case FlushReason.RemoteWrongCpu:
                WrongCpu++;
                break;
            case FlushReason.RemoteSendIpi:
                Send(thread, flush);
                break;
            case FlushReason.LocalMmShootdown or FlushReason.LocalShootdown when thread.IsSelected:
                Counts.LocalMm += flush.A0 == (long)FlushReason.LocalMmShootdown ? 1 : 0;
                Counts.Local += flush.A0 == (long)FlushReason.LocalShootdown ? 1 : 0;
                CauseRow cause = Cause(thread);
                cause.Flushes++;
                cause.Full += flush.A1 == -1 ? 1 : 0;
                _sizes[SizeClass(flush.A1)][0]++;
                break;
            default:
                break;
        }
    }

    private void Send(ThreadState thread, in TraceEvent flush)
    {
        Settle(_open.Open(new OpenShootdown
        {
            Cause = thread.IsSelected ? Cause(thread) : new CauseRow { Cause = "" },
            Initiator = thread.Row,
            Tid = flush.Tid,
            Cpu = flush.Cpu,
            SentNs = flush.TimeNs,
            Size = SizeClass(flush.A1),
            IsSelected = thread.IsSelected,
        }));
        if (!thread.IsSelected)
        {
            return;
        }

        Counts.SendIpi++;
        Cause(thread).Shootdowns++;
        thread.Row.Shootdowns++;
        _sizes[SizeClass(flush.A1)][1]++;
        _timeline.Add(flush.TimeNs, flush.Cpu, isSent: true);
        WantStack(flush.Cpu);
    }

    private void Receive(ThreadState thread, in TraceEvent flush)
    {
        OpenShootdown? shootdown = _open.Answer(flush.Cpu, flush.TimeNs);

        // The handler logs a flush only where the address space is loaded and not lazy: the interrupted thread is one of its own.
        bool counts = shootdown?.IsSelected ?? thread.IsSelected;
        if (_interrupts.TryGetValue(flush.Cpu, out (long StartNs, ThreadState? Thread) interrupt))
        {
            _interrupts[flush.Cpu] = interrupt with { Thread = counts ? thread : null };
        }

        if (!counts)
        {
            return;
        }

        Counts.Remote++;
        thread.Row.Received++;
        _timeline.Add(flush.TimeNs, flush.Cpu, isSent: false);
        if (shootdown is null)
        {
            Unmatched++;
            return;
        }

        shootdown.Cause.Remote++;
        shootdown.Initiator.Sent++;
        _sizes[shootdown.Size][2]++;
        _heat.Add(shootdown.Cpu, flush.Cpu);
    }

    private static void Settle(OpenShootdown? shootdown)
    {
        if (shootdown is null || !shootdown.IsSelected)
        {
            return;
        }

        if (shootdown.Answers == 0)
        {
            shootdown.Cause.Unanswered++;
            return;
        }

        long wait = Math.Max(0, shootdown.LastAnswerNs - shootdown.SentNs);
        shootdown.Cause.WaitNs += wait;
        shootdown.Initiator.WaitNs += wait;
        shootdown.Initiator.WaitMaxNs = Math.Max(shootdown.Initiator.WaitMaxNs, wait);
    }

    private void EndInterrupt(in TraceEvent end)
    {
        if (_interrupts.Remove(end.Cpu, out (long StartNs, ThreadState? Thread) interrupt) && interrupt.Thread is { } thread)
        {
            thread.Row.InterruptedNs += Math.Max(0, end.TimeNs - interrupt.StartNs);
        }
    }

    private CauseRow Cause(ThreadState thread)
    {
        string name = thread.InCall ? OperationNames.Of(thread.Call, names)
            : OperationNames.OfDaemon(thread.Row.Comm) ?? thread.Operation ?? "an operation that is not traced";
        ref CauseRow? row = ref CollectionsMarshal.GetValueRefOrAddDefault(_causes, name, out bool exists);
        return row ??= new CauseRow { Cause = name };
    }

    private ThreadState Thread(in TraceEvent next)
    {
        ref ThreadState? state = ref CollectionsMarshal.GetValueRefOrAddDefault(_threads, next.Tid == 0 ? -1 - next.Cpu : next.Tid, out bool exists);
        if (state is null || state.Comm != next.Comm)
        {
            string comm = names[next.Comm];
            state ??= new ThreadState { Row = new ThreadRow { Comm = comm, Tid = next.Tid } };
            state.Comm = next.Comm;
            state.Row.Comm = comm;
        }

        state.IsSelected = next.IsSelected;
        return state;
    }

    private static int SizeClass(long pages) => pages switch
    {
        -1 => 4,
        0 => 0,
        1 => 1,
        <= 8 => 2,
        <= FlushCeiling => 3,
        _ => 4,
    };

    private sealed class ThreadState
    {
        public required ThreadRow Row { get; init; }

        public int Comm { get; set; }

        public bool IsSelected { get; set; }

        public TraceEvent Call { get; set; }

        public bool InCall { get; set; }

        public string? Operation { get; set; }
    }
}
