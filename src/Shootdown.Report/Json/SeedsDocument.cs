namespace Shootdown.Report;

/// <summary>The JSON document of <c>seeds --json</c>; docs/json.md describes it.</summary>
internal sealed record SeedsDocument(
    string Schema, string Version, IReadOnlyList<SeedItemEntry> Items, double ElapsedSeconds, int ExitCode)
{
    public static SeedsDocument Of(IReadOnlyList<SeedEntry> entries, double elapsedSeconds, string version, int exitCode)
        => new("shootdown/seeds/1", version, [.. entries.Select(SeedItemEntry.Of)], elapsedSeconds, exitCode);
}

/// <summary>One item.</summary>
internal sealed record SeedItemEntry(
    string Id,
    string Mail,
    string Lines,
    string Claim,
    string Experiment,
    string Verdict,
    string Expected,
    bool AsExpected,
    string Answer,
    string Remark,
    IReadOnlyList<SeedItemRun> Runs,
    IReadOnlyList<SeedTableEntry> Tables)
{
    public static SeedItemEntry Of(SeedEntry entry) => new(
        entry.Id,
        entry.Id[1..4],
        entry.Lines,
        entry.Claim,
        entry.Experiment,
        entry.Verdict,
        entry.Expected,
        entry.AsExpected,
        entry.Answer,
        entry.Remark,
        [.. entry.Runs.Select(run => new SeedItemRun(
            run.Name, run.Outcome, run.Facts, run.Result is { } result && run.Invocation is { } how ? CheckEntry.Of(result, how) : null))],
        entry.Tables);
}

/// <summary>One run of an item; what is no check has facts instead.</summary>
internal sealed record SeedItemRun(string Name, string Outcome, IReadOnlyList<string> Facts, CheckEntry? Check);
