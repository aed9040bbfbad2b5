namespace Shootdown.Catalogue;

/// <summary>S000-01: where the secondary TLBs must be invalidated.</summary>
public sealed class SecondaryBehindClear : UnmapItem
{
    private static readonly SecondaryFlush[] Places =
        [SecondaryFlush.BeforeClear, SecondaryFlush.UnderLock, SecondaryFlush.AfterLock, SecondaryFlush.RangeEnd];

    /// <inheritdoc/>
    public override string Id => "S000-01";

    /// <inheritdoc/>
    public override string Lines => "10-11";

    /// <inheritdoc/>
    public override string Claim => "in try_to_unmap_one, invalidate_range belongs behind ptep_get_and_clear";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Reclaim unmaps a page; a device's IOMMU walks the same page tables. invalidate_range is called before the entry is cleared, behind
        that under the lock, behind the unlock, or only by the end of the range; the caller holds a reference until all is flushed, or
        none. Each place beside each operation.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs => [.. Rows.SelectMany(row => row.Models).Select(RunOf)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        bool early = Models(SecondaryFlush.BeforeClear, ReferenceHeld.UntilFlushed).All(model => !IsSafe(results, model));
        bool under = Rows.Where(row => row.Texts[0] == NameOf(SecondaryFlush.UnderLock)).SelectMany(row => row.Models)
            .All(model => IsSafe(results, model));
        SeedTable table = TableOf(
            results, "Place of invalidate_range", ["secondary", "reference", .. Peers.Select(NameOf)], Rows);
        SeedAnswer answer = (early, under) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds,
                "before the clearing the device refills and is never safe; behind it under the PTL is always safe; later needs more"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "before the clearing it is never safe, but behind it not always either"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "an invalidation before the clearing is safe somewhere"),
        };
        return answer with { Tables = [table] };
    }

    private static IEnumerable<(string[] Texts, IEnumerable<UnmapModel> Models)> Rows
        => from place in Places
           from reference in (ReferenceHeld[])[ReferenceHeld.UntilFlushed, ReferenceHeld.No]
           select ((string[])[NameOf(place), NameOf(reference)], Models(place, reference));

    private static IEnumerable<UnmapModel> Models(SecondaryFlush place, ReferenceHeld reference)
        => Peers.Select(peer => new UnmapModel(PrimaryFlush.UnderLock, place, reference, peer));
}
