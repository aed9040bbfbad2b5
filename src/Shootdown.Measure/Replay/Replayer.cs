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

    /// <summary>False if the recorded machine had no swap: reclaim then takes no anonymous page. Null: what the trace tells, else true.</summary>
    public bool? HasSwap { get; init; }

    /// <summary>When the recorded machine mapped huge pages. Null: what the trace tells, else in areas that asked for them.</summary>
    public HugePageMode? HugePages { get; init; }

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
    /// <summary>Events that are read ahead: of later ones it is seen how many CPUs there are, and what threads are called.</summary>
    private const int EventsAhead = 1 << 14;

    /// <summary>Replays a trace. The replayed kernel sees system calls, faults, switches, forks and exits, never a flush or an interrupt.</summary>
    /// <param name="reader">The trace.</param>
    /// <param name="file">What the report calls it.</param>
    /// <param name="options">What is asked for.</param>
    /// <exception cref="OperationCanceledException">It was ended early.</exception>
    /// <exception cref="TraceFormatException">Not one event could be read.</exception>
    /// <exception cref="ReplaySelectionException">Nothing in the trace is selected.</exception>
    public static ReplayReport Run(TraceReader reader, string file, ReplayOptions options)
    {
        var selection = new TaskSelection(reader.Names, options.Selection);
        var analysis = new TraceAnalysis(reader.Names);
        using TimelineExport? export = options.TimelineOut is { } stream ? new TimelineExport(stream, reader.Names) : null;
        Prediction? prediction = null;
        var ahead = new Queue<TraceEvent>();
        int cpus = 0;
        long events = 0;
        while (reader.TryRead(out TraceEvent next))
        {
            if ((++events & 0xffff) == 0)
            {
                options.Cancellation.ThrowIfCancellationRequested();
                options.OnProgress?.Invoke(reader);
            }

            selection.Learn(next);
            cpus = Math.Max(cpus, next.Cpu + 1);
            ahead.Enqueue(next);
            if (ahead.Count > EventsAhead)
            {
                Take(ahead.Dequeue());
            }
        }

        while (ahead.TryDequeue(out TraceEvent last))
        {
            Take(last);
        }

        analysis.Finish();
        prediction?.Finish();
        RequireEvents(reader, file, events, options.Selection, selection);
        return Report(reader, file, options, analysis, selection, prediction);

        // A machine of 512 CPUs takes memory and time that few traces need: it is made once their number is known.
        void Take(TraceEvent turn)
        {
            selection.Mark(ref turn);
            analysis.Add(turn);
            export?.Add(turn);
            prediction ??= new Prediction(reader, options, Math.Max(reader.Cpus, cpus));
            prediction.Add(turn);
        }
    }

    private static void RequireEvents(TraceReader reader, string file, long events, ReplaySelection asked, TaskSelection selection)
    {
        if (events == 0)
        {
            TraceProblem? problem = reader.Problems.All.OrderBy(found => found.Kind == TraceProblemKind.UnreadableLine).FirstOrDefault();
            throw new TraceFormatException(problem is null ? $"{file}: there is no event in it"
                : $"{file}: not one event can be read; line {problem.Lines[0]}: {problem.Detail}");
        }

        if (!asked.IsAll && !selection.HasEvents)
        {
            throw new ReplaySelectionException($"{file}: {selection.Nothing()}");
        }
    }

    private static ReplayReport Report(
        TraceReader reader, string file, ReplayOptions options, TraceAnalysis analysis, TaskSelection selection, Prediction? prediction)
    {
        bool hasFlushes = analysis.Has(TraceEventKind.TlbFlush);
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
            Calls = reader.Format == TraceFormat.Strace && !reader.HasDurations ? [.. analysis.Calls.Select(call => call with { TimeNs = 0 })] : analysis.Calls,
            Heat = analysis.Heat,
            Timeline = hasFlushes && analysis.CpusSeen > 0 ? analysis.Timeline : null,
            Prediction = prediction is not null && analysis.CanPredict
                ? prediction.Row(recorded, options.Selection.IsAll ? reader.TlbInterrupts : null) : null,
            Policies = prediction is not null && analysis.CanPredict ? prediction.Policies : null,
            Missing = [.. MissingFigures.Of(reader, analysis, options, selection, prediction?.Cpus ?? ReplayedKernel.CpusMax)],
            Problems = reader.Problems.All,
        };
    }
}
