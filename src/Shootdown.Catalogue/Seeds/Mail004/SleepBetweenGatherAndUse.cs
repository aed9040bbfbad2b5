namespace Shootdown.Catalogue;

/// <summary>S004-11: the bug of the subject line.</summary>
public sealed class SleepBetweenGatherAndUse : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-11";

    /// <inheritdoc/>
    public override string Lines => "subject";

    /// <inheritdoc/>
    public override string Claim => "the unmap_vma() bug related to mmu_notifiers: the task sleeps between taking the gather and using it";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The scenarios of the bug: P-atomic where the sleep is judged, P-life where it is let through; with the proposed order, also with three
        CPUs and with two pages.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("sleep judged", "sleepable-gather-order", Variant.Bug),
        SeedRun.OfScenario("sleep let through", "gather-shared-by-two", Variant.Bug),
        SeedRun.OfScenario("fix", "sleepable-gather-order", Variant.Fix),
        SeedRun.OfScenario("fix, let through", "gather-shared-by-two", Variant.Fix),
        SeedRun.OfScenario("fix, 3 CPUs", "sleepable-gather-order", Variant.Fix, ("cpus", 3)),
        SeedRun.OfScenario("fix, 2 pages", "sleepable-gather-order", Variant.Fix, ("pages", 2)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool found = results.Violated("sleep judged") && results.Violated("sleep let through");
        bool clean = results.Runs.Skip(2).All(run => results.Passed(run.Name));
        return (found, clean) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "the sleep violates P-atomic, and let through it violates P-life; clean if range_start comes first"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "found, but the proposed order is not clean"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "no run shows it"),
        };
    }
}
