using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// Random schedules for models that are too large to explore. What they find is a violation like any other; if they find nothing, that
/// proves nothing. The same seed gives the same answer, however many threads run: the violation of the first run that has one.
/// </summary>
/// <remarks>See <see cref="RandomRun"/> for how a schedule is drawn.</remarks>
internal sealed class RandomSearch
{
    private const int PilotRuns = 32;
    private readonly CheckModel _model;
    private readonly CheckOptions _options;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly Lock _gate = new();
    private readonly long _runs;
    private long _next = -1;
    private long _finished;
    private long _transitions;
    private long _best = long.MaxValue;
    private double _nextReport = 0.25;
    private Violation? _violation;
    private IReadOnlyList<Step> _path = [];
    private string? _incomplete;
    private Exception? _failure;

    private RandomSearch(CheckModel model, CheckOptions options)
    {
        _model = model;
        _options = options;
        _runs = options.RandomRuns;
    }

    /// <summary>Runs as many random schedules as the options ask for, until one violates a property or a limit is hit.</summary>
    /// <exception cref="ProcRuleException">A program broke a rule that the exploration depends on.</exception>
    internal static ExplorationResult Explore(CheckModel model, CheckOptions options)
    {
        if (model.Machine.Agents.Count > byte.MaxValue)
        {
            throw new ProcRuleException($"the machine has {model.Machine.Agents.Count} agents; a schedule can name {byte.MaxValue}");
        }

        return new RandomSearch(model, options).Search();
    }

    private ExplorationResult Search()
    {
        int lengthExpected = PilotLength();
        RandomRun[] crew = [.. Enumerable.Range(0, _options.WorkerCount).Select(_ => new RandomRun(_model.Machine, lengthExpected))];
        WorkerThreads.Run([.. crew.Select(run => (Action)(() => Work(run)))]);
        if (_failure is BoundExceededException bound)
        {
            _incomplete = bound.Message;
        }
        else if (_failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        return new ExplorationResult
        {
            Violation = _violation,
            Path = _path,
            Incomplete = _violation is null ? _incomplete ?? FoundNothing() : null,
            RandomRuns = _finished,
            Transitions = _transitions,
            Executions = crew.Sum(run => run.Executions),
            DepthMax = crew.Max(run => run.LengthMax),
            Judgements = [.. Enumerable.Range(0, _model.Properties.Count).Select(slot => crew.Sum(run => run.Judgements[slot]))],
        };
    }

    private string FoundNothing() => _model.Properties.Any(property => property is PProgress)
        ? "random schedules found nothing, which proves nothing; livelocks they cannot find"
        : "random schedules found nothing, which proves nothing";

    /// <summary>How long runs of these programs are: from a few schedules without priorities.</summary>
    private int PilotLength()
    {
        try
        {
            var pilot = new RandomRun(_model.Machine, 1);
            for (int run = 0; run < PilotRuns; run++)
            {
                pilot.Run((ulong)run, usesPriorities: false);
            }

            return Math.Max(1, pilot.LengthMax);
        }
        catch (BoundExceededException)
        {
            // The search comes there too and reports it.
            return 1;
        }
    }

    private void Work(RandomRun run)
    {
        try
        {
            while (_incomplete is null && _failure is null)
            {
                long index = Interlocked.Increment(ref _next);
                if (index >= _runs || index > Interlocked.Read(ref _best))
                {
                    return;
                }

                if (run.Run(Hash128.SplitMix(_options.RandomSeed ^ Hash128.SplitMix((ulong)index)), usesPriorities: true) is { } violation)
                {
                    Report(index, violation, run.Path);
                }

                Tick(run);
            }
        }
        catch (Exception failure)
        {
            lock (_gate)
            {
                _failure ??= failure;
            }
        }
    }

    private void Report(long index, Violation violation, Step[] path)
    {
        lock (_gate)
        {
            if (index < _best)
            {
                (_best, _violation, _path) = (index, violation, path);
            }
        }
    }

    private void Tick(RandomRun run)
    {
        long finished = Interlocked.Increment(ref _finished);
        Interlocked.Add(ref _transitions, run.Length);
        double elapsed = _clock.Elapsed.TotalSeconds;
        if (_options.WhyStop("memory", GC.GetTotalMemory(false), elapsed) is { } reason)
        {
            _incomplete ??= reason;
        }

        if (_options.Progress is { } progress && elapsed >= Volatile.Read(ref _nextReport))
        {
            Volatile.Write(ref _nextReport, elapsed + 0.25);
            progress.Report(new CheckProgress(
                CheckProgress.RandomRuns, finished, Interlocked.Read(ref _transitions), run.Length, GC.GetTotalMemory(false), elapsed));
        }
    }
}
