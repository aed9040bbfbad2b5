namespace Shootdown.Catalogue;

/// <summary>S004-01: SRCU and the order of gather and range_start.</summary>
public sealed class SrcuAndOrderAreEnough : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-01";

    /// <inheritdoc/>
    public override string Lines => "7-13";

    /// <inheritdoc/>
    public override string Claim => "SRCU for the list and tlb_gather_mmu behind range_start are enough for notifiers that sleep";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Refuted;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Two processes unmap, or truncate a file, on two CPUs; every callback sleeps, and its task may wake up on the other CPU. The locks
        are those of 2.6.33: i_mmap_lock is a spinlock. Without SRCU, without the new order, and with both.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Runs2010.Atomic("munmap, RCU", Runs2010.Proposed with { Srcu = false }, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("munmap, gather first", new Design2010(), 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("munmap, both", Runs2010.Proposed, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("truncate, RCU", Runs2010.Proposed with { Srcu = false }, 1, Call2010.Truncate, Call2010.Truncate),
        Runs2010.Atomic("truncate, gather first", new Design2010(), 1, Call2010.Truncate, Call2010.Truncate),
        Runs2010.Atomic("truncate, both", Runs2010.Proposed, 1, Call2010.Truncate, Call2010.Truncate),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool needed = results.Violated("munmap, RCU") && results.Violated("munmap, gather first");
        bool munmap = results.Passed("munmap, both");
        bool truncate = results.Passed("truncate, both");
        var table = new SeedTable(
            "Sleeping callbacks",
            ["call", "RCU, range_start first", "SRCU, gather first", "both"],
            [
                Runs2010.Row(results, "munmap", "munmap, RCU", "munmap, gather first", "munmap, both"),
                Runs2010.Row(results, "truncate", "truncate, RCU", "truncate, gather first", "truncate, both"),
            ]);
        return (munmap, truncate) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "neither munmap nor truncation sleeps in atomic context") { Tables = [table] },
            (true, false) => new SeedAnswer(
                SeedVerdict.Refuted,
                $"{(needed ? "both are needed and" : "they are")} enough for munmap, but truncation still sleeps under i_mmap_lock")
            { Tables = [table] },
            _ => new SeedAnswer(SeedVerdict.Refuted, "munmap itself sleeps in atomic context with both") { Tables = [table] },
        };
    }
}
