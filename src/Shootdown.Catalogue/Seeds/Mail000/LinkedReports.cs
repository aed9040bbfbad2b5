namespace Shootdown.Catalogue;

/// <summary>S000-17: the two reports that the mail links to, as regression models with names.</summary>
public sealed class LinkedReports : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S000-17";

    /// <inheritdoc/>
    public override string Lines => "79-80";

    /// <inheritdoc/>
    public override string Claim => "two reports of 2017 are such problems: batched unmapping against mprotect, and parallel MADV_DONTNEED";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment => "Both reports as scenarios, with the bug and with the fix that was made.";

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("[1] bug", "ttu-batch-vs-mprotect", Variant.Bug),
        SeedRun.OfScenario("[1] fix", "ttu-batch-vs-mprotect", Variant.Fix),
        SeedRun.OfScenario("[2] bug", "madv-dontneed-parallel", Variant.Bug),
        SeedRun.OfScenario("[2] fix", "madv-dontneed-parallel", Variant.Fix),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool holds = results.Violated("[1] bug") && results.Violated("[2] bug") && results.Passed("[1] fix") && results.Passed("[2] fix");
        return new SeedAnswer(
            holds ? SeedVerdict.Holds : SeedVerdict.Refuted,
            $"[1] violates {results["[1] bug"].Property}, [2] {results["[2] bug"].Property}; fixed: {results["[1] fix"].Cell} and {results["[2] fix"].Cell}");
    }
}
