namespace Shootdown.Measure;

/// <summary>How a trace is replayed.</summary>
public sealed record ReplayOptions
{
    /// <summary>What to look at.</summary>
    public ReplaySelection Selection { get; init; } = ReplaySelection.All;

    /// <summary>The kernel that is replayed; null to take the one that fits the trace best.</summary>
    public TimedProfile? Kernel { get; init; }

    /// <summary>Flush designs to replay the trace under as well.</summary>
    public IReadOnlyList<FlushPolicy> Policies { get; init; } = [];

    /// <summary>What things cost; null for the defaults. Only times depend on it.</summary>
    public CostTable? Costs { get; init; }

    /// <summary>Where to write a timeline for ui.perfetto.dev; null for nowhere.</summary>
    public Stream? TimelineOut { get; init; }

    /// <summary>False if the recorded machine had no swap: reclaim then takes no anonymous page.</summary>
    public bool HasSwap { get; init; } = true;

    /// <summary>Is told each predicted flush of the selection; null if nobody wants to know.</summary>
    public Action<PredictedFlush>? OnPredicted { get; init; }

    /// <summary>Is called now and then while a long trace is read; null if nobody wants to know.</summary>
    public Action<TraceReader>? OnProgress { get; init; }

    /// <summary>Ends the replay early.</summary>
    public CancellationToken Cancellation { get; init; }
}

/// <summary>Reads a trace once, sums up what it recorded and predicts it from its inputs.</summary>
public static class Replayer
{
    /// <summary>Events that are read before the prediction begins, to see how many CPUs there are.</summary>
    private const int EventsAhead = 1 << 14;

    /// <summary>Replays a trace. The replayed kernel sees system calls, faults, switches, forks and exits, never a flush or an interrupt.</summary>
    /// <param name="reader">The trace.</param>
    /// <param name="file">What the report calls it.</param>
    /// <param name="options">What is asked for.</param>
    /// <exception cref="OperationCanceledException">It was ended early.</exception>
    public static ReplayReport Run(TraceReader reader, string file, ReplayOptions options)
    {
        var analysis = new TraceAnalysis(reader.Names, options.Selection);
        using TimelineExport? export = options.TimelineOut is { } stream ? new TimelineExport(stream, reader.Names) : null;
        Prediction? prediction = null;
        var ahead = new List<TraceEvent>();
        long events = 0;
        while (reader.TryRead(out TraceEvent next))
        {
            if ((++events & 0xffff) == 0)
            {
                options.Cancellation.ThrowIfCancellationRequested();
                options.OnProgress?.Invoke(reader);
            }

            analysis.Add(next);
            export?.Add(next);
            if (prediction is not null)
            {
                prediction.Add(next);
                continue;
            }

            ahead.Add(next);
            prediction = ahead.Count == EventsAhead ? Begin(reader, options, analysis, ahead) : null;
        }

        analysis.Finish();
        prediction ??= ahead.Count == 0 ? null : Begin(reader, options, analysis, ahead);
        prediction?.Finish();
        return Report(reader, file, options, analysis, prediction);
    }

    /// <summary>Begins to predict once the number of CPUs is known: a machine of 512 takes memory and time that few traces need.</summary>
    private static Prediction Begin(TraceReader reader, ReplayOptions options, TraceAnalysis analysis, List<TraceEvent> ahead)
    {
        var prediction = new Prediction(reader, options, Math.Max(reader.Cpus, analysis.CpusSeen));
        foreach (TraceEvent next in ahead)
        {
            prediction.Add(next);
        }

        ahead.Clear();
        ahead.TrimExcess();
        return prediction;
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
            Policies = prediction is not null && CanPredict(analysis) ? prediction.Policies : null,
            Missing = [.. MissingOf(analysis, options, prediction?.Cpus ?? ReplayedKernel.CpusMax)],
            Problems = reader.Problems.All,
        };
    }

    private static bool Has(TraceAnalysis analysis, TraceEventKind kind) => analysis.Kinds[(int)kind] > 0;

    private static bool CanPredict(TraceAnalysis analysis)
        => Has(analysis, TraceEventKind.SyscallExit) && Has(analysis, TraceEventKind.PageFault) && Has(analysis, TraceEventKind.SchedSwitch);

    private static IEnumerable<string> MissingOf(TraceAnalysis analysis, ReplayOptions options, int cpus)
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

        if (analysis.CpusSeen > cpus)
        {
            yield return cpus == ReplayedKernel.CpusMax ? $"more than {cpus} CPUs: no prediction"
                : $"CPU {analysis.CpusSeen - 1} had its first event late, and the machine was made for {cpus} CPUs: no prediction; "
                    + $"a first line 'cpus={analysis.CpusSeen}' tells";
        }

        if (options.Policies.Count > 0 && (analysis.CpusSeen == 0 || analysis.CpusSeen > cpus || inputs.Length > 0))
        {
            yield return "no comparison of policies: whom a flush interrupts depends on who runs where, and on what is mapped; "
                + "it needs all that a prediction needs";
        }

        if (Has(analysis, TraceEventKind.TlbFlush) && !analysis.HasStacks)
        {
            yield return "no call stacks: no call sites";
        }
    }
}
