namespace Shootdown.Catalogue;

/// <summary>S004-05: truncation and i_mmap_lock.</summary>
public sealed class TruncateMissed : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-05";

    /// <inheritdoc/>
    public override string Lines => "25-28";

    /// <inheritdoc/>
    public override string Claim => "SRCU is not enough: truncation calls notifiers under i_mmap_lock, which must become a sleeping lock";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Two processes truncate files that they map, on two CPUs, with SRCU and the gather behind range_start; i_mmap_lock is the spinlock of
        2.6.33 or a mutex. munmap beside it, which does not take the lock around the call.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Runs2010.Atomic("truncate, spinlock", Runs2010.Proposed, 1, Call2010.Truncate, Call2010.Truncate),
        Runs2010.Atomic("truncate, mutex", Runs2010.Proposed with { IMmapSleeps = true }, 1, Call2010.Truncate, Call2010.Truncate),
        Runs2010.Atomic("munmap, spinlock", Runs2010.Proposed, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("munmap beside truncate, mutex", Runs2010.Proposed with { IMmapSleeps = true }, 1, Call2010.Munmap, Call2010.Truncate),
        SeedRun.OfScenario("scenario, spinlock", "truncate-under-spinlock", Variant.Bug),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool spin = results.Violated("truncate, spinlock") && results.Violated("scenario, spinlock");
        bool mutex = results.Passed("truncate, mutex") && results.Passed("munmap beside truncate, mutex");
        return (spin, mutex) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "truncation sleeps under the spinlock; with a lock that sleeps nothing does in atomic context"),
            (true, false) => new SeedAnswer(SeedVerdict.Refuted, "truncation sleeps in atomic context even if i_mmap_lock sleeps"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "truncation does not sleep under the spinlock"),
        };
    }
}
