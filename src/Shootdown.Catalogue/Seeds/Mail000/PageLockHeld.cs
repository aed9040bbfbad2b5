namespace Shootdown.Catalogue;

/// <summary>S000-05: what the page lock is good for.</summary>
public sealed class PageLockHeld : UnmapItem
{
    private static readonly ReferenceHeld[] References = Enum.GetValues<ReferenceHeld>();

    /// <inheritdoc/>
    public override string Id => "S000-05";

    /// <inheritdoc/>
    public override string Lines => "26-27";

    /// <inheritdoc/>
    public override string Claim => "the page lock is held, so there is no race with migration";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The device is told behind the unlock, while another CPU migrates the page or, for comparison, calls madvise(MADV_DONTNEED), which takes
        no page lock. With the page lock held throughout and without it, and with the caller's reference held for a longer or shorter time.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        "Expected was that giving up the page lock brings the race back. It does not: who unmaps and who migrates both look at the entry under the "
        + "page-table lock, and migration counts references, so that it gives up while the one who unmaps holds its own. In every row the "
        + "page lock changes nothing; the reference decides.";

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs => [.. Rows.SelectMany(row => row.Models).Select(RunOf)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        bool matters = References.Any(reference => IsSafe(results, Model(UnmapPeer.Migration, reference, true))
            && !IsSafe(results, Model(UnmapPeer.Migration, reference, false)));
        bool safeWithBoth = IsSafe(results, Model(UnmapPeer.Migration, ReferenceHeld.UntilFlushed, true));
        SeedTable table = TableOf(
            results, "Device told behind the unlock",
            ["reference", "migration, locked", "migration, no lock", "DONTNEED, locked", "DONTNEED, no lock"], Rows);
        SeedAnswer answer = (matters, safeWithBoth) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "without the page lock migration races with the unmapping, with it not"),
            (false, true) => new SeedAnswer(SeedVerdict.Depends,
                "there is no such race, but not because of the lock: it changes no cell; the caller's reference decides"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "migration races with the unmapping although the page lock is held"),
        };
        return answer with { Tables = [table] };
    }

    private static IEnumerable<(string[] Texts, IEnumerable<UnmapModel> Models)> Rows
        => from reference in References
           select ((string[])[NameOf(reference)], (IEnumerable<UnmapModel>)
           [
               Model(UnmapPeer.Migration, reference, true), Model(UnmapPeer.Migration, reference, false),
               Model(UnmapPeer.Dontneed, reference, true), Model(UnmapPeer.Dontneed, reference, false),
           ]);

    private static UnmapModel Model(UnmapPeer peer, ReferenceHeld reference, bool pageLock)
        => new(PrimaryFlush.UnderLock, SecondaryFlush.AfterLock, reference, peer) { PageLock = pageLock };
}
