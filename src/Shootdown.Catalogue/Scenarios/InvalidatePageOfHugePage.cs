using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>B41's third pitfall: the callback for a page is called once for a huge page.</summary>
public sealed class InvalidatePageOfHugePage : Scenario
{
    /// <inheritdoc/>
    public override string Id => "invalidate-page-of-huge-page";

    /// <inheritdoc/>
    public override string Title => "a device that maps a huge page with small entries hears of the first one only";

    /// <inheritdoc/>
    public override int Year => 2017;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["369ea8242c0f"];

    /// <inheritdoc/>
    public override string Seed => "004";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "thp", "reclaim"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("pages", 2, 2, 4, "small pages of the huge page"),
        new("interface", 0, 0, 2, "the fix: 0: start and end around it; 1: the callback for each small page; 2: one for a huge page (seed 004)"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        mmu_notifier_invalidate_page() named one address. try_to_unmap_one() called it once also where it unmapped a huge page, with the
        address of the huge page. A driver had no way to learn how much was gone.

        A CPU's TLB drops a huge entry whole if any part of it is invalidated. A device with tables of its own need not map a huge page
        with a huge entry: SGI's GRU maps what it is asked for, page by page. It removed the entry of the named page, and kept the
        others, to a page that was free.

        The callback was deleted in 2017 for start and end, which name a range. Andrea's mail of 2010 (seed 004) gives this as the reason
        why pmdp_clear_flush_notify() had to use them, and weighs a callback for huge pages instead.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "the device has A and A+1, two small pages of one huge page, in its own table.",
        "CPU0: try_to_unmap(): clears the huge entry, flushes; invalidate_page(A): the device drops A; the huge page is freed.",
        "CPU1: the device reads A+1.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 369ea8242c0f, \"mm/rmap: update to new mmu_notifier semantic v2\"",
        "seed 004, lines 15-20",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        HugeNotify notify = setup.IsBug ? HugeNotify.FirstPage : setup["interface"] switch
        {
            0 => HugeNotify.StartEnd,
            1 => HugeNotify.EachPage,
            _ => HugeNotify.Hugepage,
        };
        return HugeUnmapModel.Build(notify, false, false, setup["pages"], setup.Model, setup.Tlb);
    }
}
