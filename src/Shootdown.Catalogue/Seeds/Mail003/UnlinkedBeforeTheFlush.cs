namespace Shootdown.Catalogue;

/// <summary>S003-10: the order in munmap.</summary>
public sealed class UnlinkedBeforeTheFlush : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S003-10";

    /// <inheritdoc/>
    public override string Lines => "12, 21-22";

    /// <inheritdoc/>
    public override string Claim => "munmap unlinks areas from rmap in free_pgtables, between unmap_vmas and the last flush";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The catalogue's B11: munmap of a driver's memory unlinks the area before it flushes, while the driver takes the memory back with
        unmap_mapping_range; with and without the flush of tlb_end_vma. Then with one CPU more and with two pages.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("no flush before unlinking", "pfnmap-munmap-vs-unmap-mapping", Variant.Bug),
        SeedRun.OfScenario("flush in tlb_end_vma", "pfnmap-munmap-vs-unmap-mapping", Variant.Fix),
        SeedRun.OfScenario("flush in tlb_end_vma, 2 pages", "pfnmap-munmap-vs-unmap-mapping", Variant.Fix, ("pages", 2)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool found = results.Violated("no flush before unlinking");
        bool clean = results.Passed("flush in tlb_end_vma") && results.Passed("flush in tlb_end_vma, 2 pages");
        return (found, clean) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "a driver that finds no area frees memory that TLBs still map; the flush of tlb_end_vma prevents it"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "found, but the flush of tlb_end_vma is not enough"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "no run shows it"),
        };
    }
}
