using System.Diagnostics;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>What a caller knows about a check besides the model.</summary>
/// <param name="ScenarioId">Short id.</param>
/// <param name="Number">Catalogue number.</param>
/// <param name="Title">One line.</param>
/// <param name="Variant">bug or fix.</param>
/// <param name="Expected">The verdict that the catalogue expects.</param>
/// <param name="Bounds">The scenario's own bounds.</param>
public sealed record CheckSubject(
    string ScenarioId, string Number, string Title, string Variant, Verdict? Expected, IReadOnlyList<Bound> Bounds);

/// <summary>Checks a model: explores it, minimises and replays what was found, and says what the answer is worth.</summary>
public static class Checker
{
    /// <summary>Runs a check, or replays a schedule if the options name one.</summary>
    /// <param name="subject">What the report is about.</param>
    /// <param name="build">Builds the model; called again to verify that building is deterministic.</param>
    /// <param name="options">How to explore.</param>
    /// <exception cref="ScheduleException">The schedule does not fit.</exception>
    public static CheckReport Check(CheckSubject subject, Func<CheckModel> build, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(build);
        ArgumentNullException.ThrowIfNull(options);
        var clock = Stopwatch.StartNew();
        try
        {
            CheckModel model = build();
            return options.Schedule is { } schedule
                ? Replay(subject, model, schedule, clock)
                : Explore(subject, model, options, clock);
        }
        catch (ProcRuleException rule)
        {
            return Report(subject, null, new ExplorationResult(), options, clock, Verdict.Unsupported, rule.Message, null);
        }
    }

    private static CheckReport Explore(CheckSubject subject, CheckModel model, CheckOptions options, Stopwatch clock)
    {
        ExplorationResult result = options.RandomRuns > 0 ? RandomSearch.Explore(model, options) : Explorer.Explore(model, options);
        model.Machine.LocalStates.VerifyAll();
        if (result.Violation is null && result.Incomplete is null && model.Properties.Any(property => property is PProgress))
        {
            result = WithProgress(model, result, options, clock);
        }

        if (result.Violation is { } violation)
        {
            Counterexample counterexample = result.CycleStart is null
                ? Explain(model, result.Path, violation, options)
                : Trace(model, result.Path, result.CycleStart, violation, false);
            return Report(subject, model, result, options, clock, Verdict.Violation, string.Empty, counterexample);
        }

        if (result.Incomplete is { } incomplete)
        {
            return Report(subject, model, result, options, clock, Verdict.Inconclusive, incomplete, null);
        }

        string[] idle = [.. Coverage(model, result)
            .Where(judged => judged.TimesExercised == 0 && model.MustExercise.Contains(judged.PropertyId))
            .Select(judged => judged.PropertyId)];
        return idle.Length == 0
            ? Report(subject, model, result, options, clock, Verdict.Pass, string.Empty, null)
            : Report(subject, model, result, options, clock, Verdict.Inconclusive,
                $"{string.Join(", ", idle)} never had anything to judge: the programs do not exercise what is checked", null);
    }

    /// <summary>Looks for livelocks once nothing else is wrong; the numbers are those of the larger exploration.</summary>
    private static ExplorationResult WithProgress(CheckModel model, ExplorationResult safe, CheckOptions options, Stopwatch clock)
    {
        ExplorationResult progress = ProgressSearch.Explore(model, options, () => clock.Elapsed.TotalSeconds);
        IEnumerable<long> judgements = model.Properties.Select((property, slot) => property is PProgress ? progress.UnfinishedStates : safe.Judgements[slot]);
        return progress with { Judgements = [.. judgements], Costs = safe.Costs };
    }

    private static CheckReport Replay(CheckSubject subject, CheckModel model, string schedule, Stopwatch clock)
    {
        (IReadOnlyList<Step> steps, int? cycleStart) = Schedule.ParseRun(schedule, model.Machine);
        Violation? violation = Replayer.Run(model, steps, cycleStart);
        var result = new ExplorationResult { Transitions = steps.Count, DepthMax = steps.Count };
        Counterexample run = Trace(model, steps, cycleStart, violation, false);
        return violation is null
            ? Report(subject, model, result, new CheckOptions { Workers = 1 }, clock, Verdict.Inconclusive,
                "the replayed schedule reaches no violation", run)
            : Report(subject, model, result, new CheckOptions { Workers = 1 }, clock, Verdict.Violation, string.Empty, run);
    }

    private static Counterexample Explain(CheckModel model, IReadOnlyList<Step> path, Violation violation, CheckOptions options)
    {
        (IReadOnlyList<Step> shortest, bool isMinimal) = Minimiser.Minimise(model, path, violation, options);
        Violation replayed = Replayer.Run(model, shortest)
            ?? throw new InvalidOperationException("a counterexample does not replay: this is a bug of the checker");
        return Trace(model, shortest, null, replayed, isMinimal);
    }

    private static Counterexample Trace(
        CheckModel model, IReadOnlyList<Step> steps, int? cycleStart, Violation? violation, bool isMinimal)
    {
        (_, IReadOnlyList<TraceColumn> columns, IReadOnlyList<TraceStep> rows) = Replayer.Trace(model, steps, cycleStart);
        return new Counterexample
        {
            PropertyId = violation?.PropertyId ?? string.Empty,
            Sentence = violation?.Sentence ?? string.Empty,
            Columns = columns,
            CycleStart = cycleStart,
            Steps = rows,
            Schedule = Schedule.Format(steps, cycleStart),
            ContextSwitches = Minimiser.ContextSwitches(model.Machine, steps),
            IsMinimal = isMinimal,
        };
    }

    private static CheckReport Report(
        CheckSubject subject,
        CheckModel? model,
        ExplorationResult result,
        CheckOptions options,
        Stopwatch clock,
        Verdict verdict,
        string reason,
        Counterexample? counterexample) => new()
        {
            ScenarioId = subject.ScenarioId,
            Number = subject.Number,
            Title = subject.Title,
            Variant = subject.Variant,
            Verdict = verdict,
            Expected = subject.Expected,
            Reason = reason,
            Model = model?.Machine.Model.Name ?? "-",
            Bounds = [.. subject.Bounds, .. model is null ? [] : MachineBounds(model)],
            Stats = new ExplorationStats
            {
                RandomRuns = result.RandomRuns,
                States = result.States,
                Transitions = result.Transitions,
                Executions = result.Executions,
                DepthMax = result.DepthMax,
                ElapsedSeconds = clock.Elapsed.TotalSeconds,
                Exhaustive = verdict == Verdict.Pass,
                Workers = result.IsWholeGraph ? 1 : options.WorkerCount,
                Reduced = IsSearch(result) && options.Reduction && (model is null || !Explorer.UsesSymmetry(model, options)),
                Symmetric = IsSearch(result) && model is not null && Explorer.UsesSymmetry(model, options),
                TableBytes = result.TableBytes,
                PeakMemoryBytes = Process.GetCurrentProcess().PeakWorkingSet64,
            },
            Coverage = model is null ? [] : [.. Coverage(model, result)],
            Costs = result.Costs,
            Counterexample = counterexample,
        };

    /// <summary>True if the result is that of an exploration that may leave out what is alike.</summary>
    private static bool IsSearch(ExplorationResult result) => !result.IsWholeGraph && result.RandomRuns == 0;

    /// <summary>
    /// How often each property was judged. Deadlock is judged in every state, and named only where it is what is checked.
    /// </summary>
    private static IEnumerable<PropertyCoverage> Coverage(CheckModel model, ExplorationResult result)
    {
        for (int slot = 0; slot < model.Properties.Count; slot++)
        {
            Property property = model.Properties[slot];
            long times = slot < result.Judgements.Count ? result.Judgements[slot] : 0;
            yield return new PropertyCoverage(property.Id, times, property.JudgementText);
        }

        if (model.MustExercise.Contains(Deadlock.Id))
        {
            yield return new PropertyCoverage(Deadlock.Id, result.States, Deadlock.JudgementText);
        }
    }

    /// <summary>Bounds of every machine, as far as they limit what was explored.</summary>
    private static IEnumerable<Bound> MachineBounds(CheckModel model)
    {
        MachineOptions options = model.Machine.Options;
        yield return new Bound("frames", options.Frames.ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (options.Model == MemoryModelKind.X86Tso)
        {
            yield return new Bound("store buffer", options.StoreBufferDepth.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        foreach (Bound bound in model.ExtraBounds)
        {
            yield return bound;
        }
    }
}
