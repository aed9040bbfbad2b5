using System.Text.Json.Serialization;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>The JSON document of <c>check --json</c>; docs/json.md describes it.</summary>
internal sealed record CheckDocument(
    string Schema, string Version, IReadOnlyList<CheckEntry> Checks, CheckSummary Summary, int ExitCode);

/// <summary>One check of one variant.</summary>
internal sealed record CheckEntry(
    string Id,
    string Number,
    string Title,
    string Variant,
    string Verdict,
    string? Expected,
    bool AsExpected,
    string Reason,
    string Model,
    IReadOnlyList<Bound> Bounds,
    StatsEntry Stats,
    IReadOnlyList<CoverageEntry> Coverage,
    CounterexampleEntry? Counterexample,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] CostsEntry? Costs)
{
    public static CheckEntry Of(CheckReport report, CheckInvocation invocation) => new(
        report.ScenarioId,
        report.Number,
        report.Title,
        report.Variant,
        VerdictLine.Name(report.Verdict),
        report.Expected is { } expected ? VerdictLine.Name(expected) : null,
        VerdictLine.IsAsExpected(report),
        report.Reason,
        report.Model,
        report.Bounds,
        StatsEntry.Of(report.Stats),
        [.. report.Coverage.Select(coverage => new CoverageEntry(coverage.PropertyId, coverage.TimesExercised, coverage.What))],
        report.Counterexample is { } run ? CounterexampleEntry.Of(run, invocation) : null,
        CostsEntry.Of(report));
}

/// <summary>Numbers of the exploration.</summary>
internal sealed record StatsEntry(
    long States,
    long Transitions,
    long Executions,
    int DepthMax,
    bool Exhaustive,
    long RandomRuns,
    bool Reduced,
    int Workers,
    double ElapsedSeconds,
    long TableBytes,
    long PeakMemoryBytes)
{
    public static StatsEntry Of(ExplorationStats stats) => new(
        stats.States,
        stats.Transitions,
        stats.Executions,
        stats.DepthMax,
        stats.Exhaustive,
        stats.RandomRuns,
        stats.Reduced,
        stats.Workers,
        stats.ElapsedSeconds,
        stats.TableBytes,
        stats.PeakMemoryBytes);
}

/// <summary>How often a property was judged.</summary>
internal sealed record CoverageEntry(string Property, long TimesExercised, string What);

/// <summary>The violating run: complete, drawn, and as a command.</summary>
internal sealed record CounterexampleEntry(
    string Property,
    string Sentence,
    int ContextSwitches,
    bool IsMinimal,
    string Schedule,
    string ReplayCommand,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? CycleStart,
    IReadOnlyList<TraceColumn> Columns,
    IReadOnlyList<StepEntry> Steps,
    IReadOnlyList<string> Diagram)
{
    public static CounterexampleEntry Of(Counterexample run, CheckInvocation invocation) => new(
        run.PropertyId,
        run.Sentence,
        run.ContextSwitches,
        run.IsMinimal,
        run.Schedule,
        invocation.OneLine(run.Schedule),
        run.CycleStart,
        run.Columns,
        [.. run.Steps.Select(StepEntry.Of)],
        MailDiagram.Draw(run));
}

/// <summary>One step of the run.</summary>
internal sealed record StepEntry(
    int Column, string Text, IReadOnlyList<string> Notes, IReadOnlyList<string> CallStack, bool InInterrupt, string Weight, bool IsDecisive)
{
    public static StepEntry Of(TraceStep step) => new(
        step.Column, step.Text, step.Notes, step.CallStack, step.InInterrupt, WeightName(step.Weight), step.IsDecisive);

    private static string WeightName(StepWeight weight) => weight switch
    {
        StepWeight.Key => "key",
        StepWeight.Context => "context",
        _ => "detail",
    };
}

/// <summary>Counts over all checks of the run.</summary>
internal sealed record CheckSummary(
    int Checks, int Passes, int Violations, int Inconclusive, int Unsupported, int NotRun, bool AllAsExpected)
{
    public static CheckSummary Of(IReadOnlyList<CheckReport> reports, int notRun) => new(
        reports.Count + notRun,
        reports.Count(report => report.Verdict == Verdict.Pass),
        reports.Count(report => report.Verdict == Verdict.Violation),
        reports.Count(report => report.Verdict == Verdict.Inconclusive),
        reports.Count(report => report.Verdict == Verdict.Unsupported),
        notRun,
        notRun == 0 && reports.All(VerdictLine.IsAsExpected));
}
