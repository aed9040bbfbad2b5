namespace Shootdown.Catalogue;

/// <summary>S002-03.</summary>
public sealed class SkippedGenerationIsFull : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-03";

    /// <inheritdoc/>
    public override string Lines => "40-47";

    /// <inheritdoc/>
    public override string Claim => "a generation that is skipped leads to a full flush, so it is no matter of correctness";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        flush_tlb_func() as it is, and without each of the conditions under which it flushes page by page: that the request is the
        next generation, that it is the newest; and with the generation read behind the flush (catalogue B18).
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("as it is", "gen-partial-out-of-order", Variant.Fix),
        SeedRun.OfScenario("as it is, 3 pages", "gen-partial-out-of-order", Variant.Fix, ("pages", 3)),
        SeedRun.OfScenario("without \"next\"", "gen-partial-out-of-order", Variant.Bug, ("rule", 1)),
        SeedRun.OfScenario("without \"newest\"", "gen-partial-out-of-order", Variant.Bug, ("rule", 2)),
        SeedRun.OfScenario("read behind the flush", "gen-partial-out-of-order", Variant.Bug, ("rule", 3)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool clean = results.Runs.Take(2).All(run => results.Passed(run.Name));
        string[] needed = [.. results.Runs.Skip(2).Where(run => results.Violated(run.Name)).Select(run => run.Name)];
        return clean
            ? new SeedAnswer(
                SeedVerdict.Holds, $"no run of the rules is wrong; {needed.Length} of 3 changes to them are: {string.Join("; ", needed)}")
            : new SeedAnswer(SeedVerdict.Refuted, "the rules as they are lose a flush");
    }
}
