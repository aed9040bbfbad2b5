namespace Shootdown.Catalogue;

/// <summary>S000-14: the bug that the mail describes, on its own model and beyond.</summary>
public sealed class ParallelDontneed : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S000-14";

    /// <inheritdoc/>
    public override string Lines => "67-73";

    /// <inheritdoc/>
    public override string Claim => "two MADV_DONTNEED on one range: the second returns although the first has not flushed yet";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Two threads call madvise(MADV_DONTNEED) on the same page and a third loads it, on the kernel before 99baac21e458, whose
        tlb_finish_mmu() does not look at mm->tlb_flush_pending, and on today's. Then with one more thread, and with two pages.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("before 2017", "madv-dontneed-parallel", Variant.Bug),
        SeedRun.OfScenario("today", "madv-dontneed-parallel", Variant.Fix),
        SeedRun.OfScenario("today, 4 CPUs", "madv-dontneed-parallel", Variant.Fix, ("cpus", 4)),
        SeedRun.OfScenario("today, 2 pages", "madv-dontneed-parallel", Variant.Fix, ("pages", 2)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool found = results.Violated("before 2017");
        bool clean = results.Runs.Skip(1).All(run => results.Passed(run.Name));
        return (found, clean) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds,
                "violates P-ret without the count of gathers; clean with it, also with 4 CPUs and with 2 pages"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "found before 2017, but today's kernel is not clean either"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "no run shows it"),
        };
    }
}
