using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>The JSON document of <c>designs --json</c>; docs/designs.md describes it.</summary>
internal sealed record DesignDocument(
    string Schema, string Version, IReadOnlyList<DesignRunEntry> Runs, int NotRun, double ElapsedSeconds, int ExitCode)
{
    public static DesignDocument Of(DesignReport report, string version, int exitCode) => new(
        "shootdown/designs/1", version, [.. report.Entries.Select(DesignRunEntry.Of)], report.NotRun, report.ElapsedSeconds, exitCode);
}

/// <summary>A design on a workload. Costs are null if the exploration that counts them is not exhaustive.</summary>
internal sealed record DesignRunEntry(
    DesignCard Design, string Workload, string WorkloadTitle, CheckEntry Safety, bool AsBatched, IReadOnlyDictionary<string, CostRange>? Costs)
{
    public static DesignRunEntry Of(DesignEntry entry) => new(
        entry.Design,
        entry.Workload,
        entry.WorkloadTitle,
        CheckEntry.Of(entry.Safety, entry.Invocation),
        entry.AsBaseline,
        entry.Costs is { Verdict: Verdict.Pass, Costs.Run: { } run }
            ? CostRowEntry.CountersOf(run)
            : null);
}
