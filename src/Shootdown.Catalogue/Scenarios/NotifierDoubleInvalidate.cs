using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>B42: what was invalidated under the lock is invalidated again by the end of the range.</summary>
public sealed class NotifierDoubleInvalidate : Scenario
{
    /// <inheritdoc/>
    public override string Id => "notifier-double-invalidate";

    /// <inheritdoc/>
    public override string Number => "B42";

    /// <inheritdoc/>
    public override string Title => "secondary TLBs are invalidated under the lock and by the end of the range again";

    /// <inheritdoc/>
    public override int Year => 2017;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["4645b9fe84bf"];

    /// <inheritdoc/>
    public override string Seed => "000";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "iommu", "cost"];

    /// <inheritdoc/>
    public override string Property => "P-redundant";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 1, 1, 3, "CPU0 unmaps, the others are user threads; there is a device besides"),
        new("pages", 1, 1, 2, "pages that are unmapped"),
        new("api", 0, 0, 1, "0: an end that does less (mmu_notifier_invalidate_range_only_end); 1: an end that does more (seed 000's proposal)"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        From 4.14 on reclaim invalidates the TLBs of devices under the page-table lock, where it clears an entry. But the end
        of the notifier's range implied the same call once more, for all callers that had made none. For a device each of these
        calls is a command to the IOMMU and a wait for it, and the second finds nothing: no translation that is out of date
        can have come back in between. Nothing breaks; it is waste.

        The fix is an end that does not imply the call, mmu_notifier_invalidate_range_only_end(). The mail of seed 000
        proposes the mirror image: the plain end calls nothing, and one with another name does. Both cover the same;
        with the second, whoever forgets to choose the other name is unsafe instead of slow.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: reclaim: clears the entry; invalidates the IOTLB under the page-table lock; unlocks.",
        "CPU0: mmu_notifier_invalidate_range_end(): invalidates the IOTLB again, where nothing is left.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 4645b9fe84bf, \"mm/mmu_notifier: avoid call to invalidate_range() in range_end()\"",
        "seed 000, lines 13-16 and 49-58",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        var model = new UnmapModel(
            PrimaryFlush.UnderLock, setup.IsBug ? SecondaryFlush.Both : SecondaryFlush.UnderLock, ReferenceHeld.UntilFlushed, UnmapPeer.None)
        {
            Cpus = setup["cpus"],
            Pages = setup["pages"],
            Unmapped = setup["pages"],
            OthersImply = setup["api"] == 0,
            Model = setup.Model,
            Tlb = setup.Tlb,
        };
        return model.BuildStage().ToModel(setup, new PRedundant(), new PLife());
    }
}
