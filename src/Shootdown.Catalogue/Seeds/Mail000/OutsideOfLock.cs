namespace Shootdown.Catalogue;

/// <summary>S000-04: was the callback outside of the page-table lock always broken?</summary>
public sealed class OutsideOfLock : UnmapItem
{
    private static readonly SecondaryFlush[] MkcleanPlaces =
    [
        SecondaryFlush.BeforeClear, SecondaryFlush.UnderLock, SecondaryFlush.AfterLock, SecondaryFlush.RangeEnd, SecondaryFlush.None,
    ];

    private static readonly UnmapPeer[] Columns = [UnmapPeer.None, UnmapPeer.Fault, UnmapPeer.Migration];

    /// <inheritdoc/>
    public override string Id => "S000-04";

    /// <inheritdoc/>
    public override string Lines => "23-26";

    /// <inheritdoc/>
    public override string Claim => "was it always broken to call invalidate_page outside of the page-table lock?";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The old code: clear, flush the CPUs, unlock, tell the device. With and without the page lock, with and without a reference of the
        caller's own; beside nothing, beside a store that faults a new page in and then rings the device, and beside a migration of the page.
        The other callers that take an entry out (xip and try_to_unmap_cluster) have the same steps. page_mkclean_one and its
        twin for dax write-protect instead: they are run beside a thread and a device that store, with the call at each place and a
        driver that sleeps in it or not. A store after the contents were written must mark the page dirty (P-write).
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Rows.SelectMany(row => row.Models).Select(RunOf),
        .. from place in MkcleanPlaces
           from sleeps in (bool[])[false, true]
           select SeedRun.OfModel(Mkclean(place, sleeps), Mkclean(place, sleeps), () => MkcleanPlacement.Build(place, sleeps)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        bool lives = Models(true, ReferenceHeld.UntilFlushed).Concat(Models(false, ReferenceHeld.UntilFlushed))
            .All(model => Result(results, model).Property is not ("P-life" or "P-ret"));
        bool orders = IsSafe(results, Models(true, ReferenceHeld.UntilFlushed).ElementAt(1));
        bool diesWithout = Models(true, ReferenceHeld.No).All(model => !IsSafe(results, model));
        SeedTable table = TableOf(results, "invalidate_page behind the unlock", ["page lock", "reference", .. Columns.Select(NameOf)], Rows);
        var mkclean = new SeedTable(
            "page_mkclean_one, dax_mapping_entry_mkclean", ["device told", "driver does not sleep", "driver sleeps"],
            [.. MkcleanPlaces.Select(place => (string[])[NameOf(place), results[Mkclean(place, false)].Cell, results[Mkclean(place, true)].Cell])]);
        bool mkcleanIsRight = results.Passed(Mkclean(SecondaryFlush.AfterLock, false)) && results.Passed(Mkclean(SecondaryFlush.AfterLock, true));
        SeedAnswer answer = (lives, orders, diesWithout) switch
        {
            (true, false, true) => new SeedAnswer(SeedVerdict.Depends,
                "with a reference of the caller's no page dies early, but the device may read the old page after a CPU stored to its successor"),
            (true, true, true) => new SeedAnswer(SeedVerdict.Depends, "safe with a reference of the caller's, not without"),
            (false, _, _) => new SeedAnswer(SeedVerdict.Holds, "pages die early even with a reference of the caller's"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "it is safe even without a reference of the caller's"),
        };
        return answer with { Text = answer.Text + (mkcleanIsRight ? "; page_mkclean was right" : "; page_mkclean was wrong"), Tables = [table, mkclean] };
    }

    private static string Mkclean(SecondaryFlush place, bool sleeps) => $"page_mkclean, {NameOf(place)}{(sleeps ? ", driver sleeps" : string.Empty)}";

    private static IEnumerable<(string[] Texts, IEnumerable<UnmapModel> Models)> Rows
        => from pageLock in (bool[])[true, false]
           from reference in (ReferenceHeld[])[ReferenceHeld.UntilFlushed, ReferenceHeld.No]
           select ((string[])[pageLock ? "held" : "no", NameOf(reference)], Models(pageLock, reference));

    private static IEnumerable<UnmapModel> Models(bool pageLock, ReferenceHeld reference)
        => Columns.Select(peer => new UnmapModel(PrimaryFlush.UnderLock, SecondaryFlush.AfterLock, reference, peer) { PageLock = pageLock });
}
