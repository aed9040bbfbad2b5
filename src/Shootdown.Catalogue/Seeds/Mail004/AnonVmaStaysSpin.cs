namespace Shootdown.Catalogue;

/// <summary>S004-07: the anon_vma lock.</summary>
public sealed class AnonVmaStaysSpin : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-07";

    /// <inheritdoc/>
    public override string Lines => "32-34";

    /// <inheritdoc/>
    public override string Claim => "anon_vma may keep its spinlock: no truncation walks it, and rmap calls invalidate_page, which never sleeps";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        One process reclaims a page of its own while another one unmaps, with callbacks of range_start that sleep: rmap with invalidate_page,
        with the range functions under the anon_vma spinlock, and with the range functions under a lock that sleeps.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Runs2010.Atomic("invalidate_page, spinlock", Runs2010.Proposed, 1, Call2010.Reclaim, Call2010.Munmap),
        Runs2010.Atomic("range, spinlock", Runs2010.Proposed with { RmapUsesRange = true }, 1, Call2010.Reclaim, Call2010.Munmap),
        Runs2010.Atomic("range, sleeping lock", Runs2010.Proposed with { RmapUsesRange = true, AnonVmaSleeps = true }, 1, Call2010.Reclaim, Call2010.Munmap),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool page = results.Passed("invalidate_page, spinlock");
        bool range = results.Violated("range, spinlock") && results.Passed("range, sleeping lock");
        return (page, range) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "so long as rmap calls invalidate_page; with start and end the anon_vma lock must sleep too"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "invalidate_page never sleeps, but the range functions do not behave as the mail says"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "rmap sleeps under the anon_vma spinlock"),
        };
    }
}
