namespace Shootdown.Measure;

/// <summary>How a trace is replayed.</summary>
public sealed record ReplayOptions
{
    /// <summary>What to look at.</summary>
    public ReplaySelection Selection { get; init; } = ReplaySelection.All;

    /// <summary>Kernel rules for the prediction; null to take those that fit the trace best.</summary>
    public KernelProfile? Kernel { get; init; }

    /// <summary>Where to write a timeline for ui.perfetto.dev; null for nowhere.</summary>
    public Stream? TimelineOut { get; init; }

    /// <summary>Makes the model that predicts.</summary>
    public Func<KernelProfile, NameTable, IShootdownModel> Model { get; init; } = (profile, names) => new RuleModel(profile, names);

    /// <summary>Ends the replay early.</summary>
    public CancellationToken Cancellation { get; init; }
}

/// <summary>Reads a trace once, sums up what it recorded and predicts it from its inputs.</summary>
public static class Replayer
{
    /// <summary>Replays a trace. The model sees system calls, faults, switches, forks and exits, never a flush or an interrupt.</summary>
    /// <param name="reader">The trace.</param>
    /// <param name="file">What the report calls it.</param>
    /// <param name="options">What is asked for.</param>
    /// <exception cref="OperationCanceledException">It was ended early.</exception>
    public static ReplayReport Run(TraceReader reader, string file, ReplayOptions options)
    {
        var analysis = new TraceAnalysis(reader.Names, options.Selection);
        using TimelineExport? export = options.TimelineOut is { } stream ? new TimelineExport(stream, reader.Names) : null;
        Prediction? prediction = null;
        long events = 0;
        while (reader.TryRead(out TraceEvent next))
        {
            prediction ??= new Prediction(reader, options);
            if ((++events & 0xffff) == 0)
            {
                options.Cancellation.ThrowIfCancellationRequested();
            }

            analysis.Add(next);
            prediction.Add(next);
            export?.Add(next);
        }

        analysis.Finish();
        return Report(reader, file, options, analysis, prediction);
    }

    private static ReplayReport Report(TraceReader reader, string file, ReplayOptions options, TraceAnalysis analysis, Prediction? prediction)
    {
        bool hasFlushes = Has(analysis, TraceEventKind.TlbFlush);
        FlushCounts? recorded = hasFlushes ? analysis.Counts : null;
        return new ReplayReport
        {
            File = file,
            Format = reader.Format,
            Selection = options.Selection,
            Lines = reader.Lines,
            Events = analysis.Kinds.Sum() - analysis.Kinds[(int)TraceEventKind.StackFrame],
            SelectedEvents = analysis.SelectedEvents,
            DurationNs = Math.Max(0, analysis.LastNs - Math.Min(analysis.FirstNs, analysis.LastNs)),
            Cpus = analysis.CpusSeen,
            Recorded = recorded,
            TaskSwitchFlushes = analysis.TaskSwitchFlushes,
            Switches = analysis.Kinds[(int)TraceEventKind.SchedSwitch],
            LazySwitches = analysis.LazySwitches,
            Unmatched = analysis.Unmatched,
            WrongCpu = analysis.WrongCpu,
            Causes = analysis.Causes,
            Sizes = analysis.Sizes,
            Threads = analysis.Threads,
            Sites = analysis.Sites,
            Calls = analysis.Calls,
            Heat = analysis.Heat,
            Timeline = hasFlushes && analysis.CpusSeen > 0 ? analysis.Timeline : null,
            Prediction = prediction is not null && CanPredict(analysis)
                ? prediction.Row(recorded, options.Selection.IsAll ? reader.TlbInterrupts : null) : null,
            Missing = [.. MissingOf(analysis)],
            Problems = reader.Problems.All,
        };
    }

    private static bool Has(TraceAnalysis analysis, TraceEventKind kind) => analysis.Kinds[(int)kind] > 0;

    private static bool CanPredict(TraceAnalysis analysis)
        => Has(analysis, TraceEventKind.SyscallExit) && Has(analysis, TraceEventKind.PageFault) && Has(analysis, TraceEventKind.SchedSwitch);

    private static IEnumerable<string> MissingOf(TraceAnalysis analysis)
    {
        if (!Has(analysis, TraceEventKind.TlbFlush))
        {
            yield return "no tlb:tlb_flush events: no flushes by cause, no interrupts, only system calls";
        }
        else if (analysis.Counts.Remote > 0 && !analysis.HasInterruptEnds)
        {
            yield return "no irq_vectors:call_function*_exit events: the time that interrupted CPUs lose is left out";
        }

        if (analysis.CpusSeen == 0)
        {
            yield return "no CPU numbers: no heat map, no timeline, no prediction";
        }

        string[] inputs =
        [
            .. Has(analysis, TraceEventKind.SyscallExit) ? Array.Empty<string>() : ["syscalls:sys_enter_* and sys_exit_*"],
            .. Has(analysis, TraceEventKind.PageFault) ? Array.Empty<string>() : ["exceptions:page_fault_user"],
            .. Has(analysis, TraceEventKind.SchedSwitch) ? Array.Empty<string>() : ["sched:sched_switch"],
        ];
        if (inputs.Length > 0)
        {
            yield return $"no {string.Join(", ", inputs)} events: no prediction";
        }

        if (Has(analysis, TraceEventKind.TlbFlush) && !analysis.HasStacks)
        {
            yield return "no call stacks: no call sites";
        }
    }
}

/// <summary>Feeds a model with the inputs of a trace and sums up what it predicts for the selection.</summary>
internal sealed class Prediction : IPredictedFlushes
{
    private readonly IShootdownModel _model;
    private readonly KernelProfile _profile;
    private readonly ReplaySelection _selection;
    private readonly NameTable _names;
    private readonly Dictionary<int, (int Pid, int Comm)> _threads = [];
    private readonly FlushCounts _counts = new() { Interrupts = 0 };
    private long _lazySpared;
    private bool _hasCpu;

    /// <summary>Chooses the rules: those asked for, else those of the version that the trace names, else the newest.</summary>
    public Prediction(TraceReader reader, ReplayOptions options)
    {
        _profile = options.Kernel ?? KernelProfile.For(reader.KernelVersion);
        _selection = options.Selection;
        _names = reader.Names;
        _model = options.Model(_profile, reader.Names);
    }

    /// <summary>Shows an event to the model, unless it is one that the model must not see.</summary>
    public void Add(in TraceEvent next)
    {
        if (next.Cpu == TraceEvent.Unknown || next.Kind is TraceEventKind.StackFrame)
        {
            return;
        }

        _hasCpu = true;
        if (next.Tid != 0)
        {
            _threads[next.Tid] = (next.Pid, next.Comm);
        }

        switch (next.Kind)
        {
            case TraceEventKind.SyscallEnter:
                _model.OnSyscallEnter(next);
                break;
            case TraceEventKind.SyscallExit:
                _model.OnSyscallExit(next, this);
                break;
            case TraceEventKind.PageFault:
                _model.OnFault(next, this);
                break;
            case TraceEventKind.SchedSwitch:
                _model.OnSwitch(next, this);
                break;
            case TraceEventKind.Fork:
                _model.OnFork(next, this);
                break;
            case TraceEventKind.Exit:
                _model.OnExit(next, this);
                break;
            default:
                break;
        }
    }

    /// <inheritdoc/>
    public void Add(in PredictedFlush flush)
    {
        if (!_selection.IsAll
            && (!_threads.TryGetValue(flush.Tid, out (int Pid, int Comm) thread) || !_selection.Holds(thread.Pid, flush.Tid, _names[thread.Comm])))
        {
            return;
        }

        _counts.LocalMm += flush.HasLocal ? 1 : 0;
        _counts.SendIpi += flush.HasSendIpi ? 1 : 0;
        _counts.Remote += flush.Remote;
        _counts.Interrupts = (_counts.Interrupts ?? 0) + flush.Interrupts;
        _lazySpared += flush.LazySpared;
    }

    /// <summary>What was predicted; null if nothing could be.</summary>
    public PredictionRow? Row(FlushCounts? recorded, long? interrupts)
        => _hasCpu ? new PredictionRow(_profile.Version, _counts, recorded, interrupts, _lazySpared) : null;
}
