namespace Shootdown.Catalogue;

/// <summary>S000-09: the whole table.</summary>
public sealed class PlacementTable : UnmapItem
{
    private static readonly SecondaryFlush[] Secondaries =
        [SecondaryFlush.UnderLock, SecondaryFlush.RangeEnd, SecondaryFlush.Both, SecondaryFlush.None];

    /// <inheritdoc/>
    public override string Id => "S000-09";

    /// <inheritdoc/>
    public override string Lines => "32-46";

    /// <inheritdoc/>
    public override string Claim => "which places of the two flushes are safe, with which references, beside which operations?";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        try_to_unmap_one() of 4.14 with the CPUs' flush under the page-table lock, behind it or batched; the device told under
        the lock, by range_end, by both or never; the caller with a reference until all is flushed, or with none; beside a user
        thread, MADV_DONTNEED, mprotect, munmap and mmap of the same range, a store that faults a new page in and rings the
        device, and migration. Judged: no page is freed while a CPU or the device can reach it (P-life), promises of the calls
        (P-ret), stores that end up in a page that was replaced (P-copy), and that the device, when it is rung, reads what was
        stored (assert).
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs => [.. Rows.SelectMany(row => row.Models).Select(RunOf)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        SeedTable table = TableOf(
            results, "Safe places of the flushes in try_to_unmap_one", ["primary", "secondary", "reference", .. Peers.Select(NameOf)], Rows);
        int cells = Rows.Sum(row => row.Models.Count());
        int safe = Rows.SelectMany(row => row.Models).Count(model => IsSafe(results, model));
        string[] everywhere =
        [
            .. Rows.Where(row => row.Models.All(model => IsSafe(results, model)))
                .Select(row => $"{row.Texts[0]}/{row.Texts[1]}/{(row.Texts[2] == "no" ? "no ref" : "ref")}"),
        ];
        SeedVerdict verdict = safe == cells ? SeedVerdict.Holds : safe == 0 ? SeedVerdict.Refuted : SeedVerdict.Depends;
        string text = $"{safe} of {cells} cells are safe; {everywhere.Length} rows beside everything";
        const string Which = ": the device told under the PTL, and the CPUs flushed there or batched";
        bool onlyThose = everywhere.Length > 0 && Rows.Where(row => row.Models.All(model => IsSafe(results, model)))
            .All(row => row.Texts[1] is "under PTL" or "both" && row.Texts[0] != NameOf(PrimaryFlush.AfterLock));
        return new SeedAnswer(verdict, onlyThose ? text + Which : text) { Tables = [table] };
    }

    private static IEnumerable<(string[] Texts, IEnumerable<UnmapModel> Models)> Rows
        => from primary in Enum.GetValues<PrimaryFlush>()
           from secondary in Secondaries
           from reference in (ReferenceHeld[])[ReferenceHeld.UntilFlushed, ReferenceHeld.No]
           select ((string[])[NameOf(primary), NameOf(secondary), NameOf(reference)],
               Peers.Select(peer => new UnmapModel(primary, secondary, reference, peer)));
}
