namespace Shootdown.Catalogue;

/// <summary>S000-04: was the callback outside of the page-table lock always broken?</summary>
public sealed class OutsideOfLock : UnmapItem
{
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
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs => [.. Rows.SelectMany(row => row.Models).Select(RunOf)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        bool lives = Models(true, ReferenceHeld.UntilFlushed).Concat(Models(false, ReferenceHeld.UntilFlushed))
            .All(model => Result(results, model).Property is not ("P-life" or "P-ret"));
        bool orders = IsSafe(results, Models(true, ReferenceHeld.UntilFlushed).ElementAt(1));
        bool diesWithout = Models(true, ReferenceHeld.No).All(model => !IsSafe(results, model));
        SeedTable table = TableOf(results, "invalidate_page behind the unlock", ["page lock", "extra reference", .. Columns.Select(NameOf)], Rows);
        SeedAnswer answer = (lives, orders, diesWithout) switch
        {
            (true, false, true) => new SeedAnswer(SeedVerdict.Depends,
                "with a reference of the caller's no page dies early, but the device may read the old page after a CPU stored to its successor"),
            (true, true, true) => new SeedAnswer(SeedVerdict.Depends, "safe with a reference of the caller's, not without"),
            (false, _, _) => new SeedAnswer(SeedVerdict.Holds, "pages die early even with a reference of the caller's"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "it is safe even without a reference of the caller's"),
        };
        return answer with { Tables = [table] };
    }

    private static IEnumerable<(string[] Texts, IEnumerable<UnmapModel> Models)> Rows
        => from pageLock in (bool[])[true, false]
           from reference in (ReferenceHeld[])[ReferenceHeld.UntilFlushed, ReferenceHeld.No]
           select ((string[])[pageLock ? "held" : "no", NameOf(reference)], Models(pageLock, reference));

    private static IEnumerable<UnmapModel> Models(bool pageLock, ReferenceHeld reference)
        => Columns.Select(peer => new UnmapModel(PrimaryFlush.UnderLock, SecondaryFlush.AfterLock, reference, peer) { PageLock = pageLock });
}
