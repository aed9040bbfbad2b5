namespace Shootdown.Catalogue;

/// <summary>S004-08: an option for sleeping everywhere.</summary>
public sealed class SleepsEverywhere : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-08";

    /// <inheritdoc/>
    public override string Lines => "34-37";

    /// <inheritdoc/>
    public override string Claim => "a configuration option could let notifiers sleep everywhere";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Unmapping, truncation and reclaim on two CPUs, two of them at a time, with all that sleeping anywhere takes: SRCU, range_start before the
        gather, i_mmap_lock and anon_vma lock that sleep. Judged by P-atomic, and where pages are accessed behind it by P-life, because tasks
        now move in the middle of everything. Then without each of the four: what may be left out?
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Runs2010.Atomic("munmap and truncate", Runs2010.SleepsEverywhere, 1, Call2010.Munmap, Call2010.Truncate),
        Runs2010.Atomic("munmap and reclaim", Runs2010.SleepsEverywhere, 1, Call2010.Munmap, Call2010.Reclaim),
        Runs2010.Atomic("truncate and reclaim", Runs2010.SleepsEverywhere, 1, Call2010.Truncate, Call2010.Reclaim),
        Runs2010.Life("munmap and truncate, life", Runs2010.SleepsEverywhere, 1, Call2010.Munmap, Call2010.Truncate),
        Runs2010.Life("munmap and reclaim, life", Runs2010.SleepsEverywhere, 1, Call2010.Munmap, Call2010.Reclaim),
        Runs2010.Atomic("no SRCU: munmap", Runs2010.SleepsEverywhere with { Srcu = false }, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("no SRCU: truncate", Runs2010.SleepsEverywhere with { Srcu = false }, 1, Call2010.Truncate, Call2010.Truncate),
        Runs2010.Atomic("no SRCU: reclaim", Runs2010.SleepsEverywhere with { Srcu = false }, 1, Call2010.Reclaim, Call2010.Reclaim),
        Runs2010.Atomic("gather first: munmap", Runs2010.SleepsEverywhere with { NotifierFirst = false }, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("gather first: truncate", Runs2010.SleepsEverywhere with { NotifierFirst = false }, 1, Call2010.Truncate, Call2010.Truncate),
        Runs2010.Atomic("gather first: reclaim", Runs2010.SleepsEverywhere with { NotifierFirst = false }, 1, Call2010.Reclaim, Call2010.Reclaim),
        Runs2010.Atomic("i_mmap spinlock: munmap", Runs2010.SleepsEverywhere with { IMmapSleeps = false }, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("i_mmap spinlock: truncate", Runs2010.SleepsEverywhere with { IMmapSleeps = false }, 1, Call2010.Truncate, Call2010.Truncate),
        Runs2010.Atomic("i_mmap spinlock: reclaim", Runs2010.SleepsEverywhere with { IMmapSleeps = false }, 1, Call2010.Reclaim, Call2010.Reclaim),
        Runs2010.Atomic("anon_vma spinlock: munmap", Runs2010.SleepsEverywhere with { AnonVmaSleeps = false }, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("anon_vma spinlock: truncate", Runs2010.SleepsEverywhere with { AnonVmaSleeps = false }, 1, Call2010.Truncate, Call2010.Truncate),
        Runs2010.Atomic("anon_vma spinlock: reclaim", Runs2010.SleepsEverywhere with { AnonVmaSleeps = false }, 1, Call2010.Reclaim, Call2010.Reclaim),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] removed = ["no SRCU", "gather first", "i_mmap spinlock", "anon_vma spinlock"];
        bool all = results.Runs.Take(5).All(run => results.Passed(run.Name));
        bool minimal = removed.All(one => results.Runs.Any(run => run.Name.StartsWith(one, StringComparison.Ordinal) && results.Violated(run.Name)));
        var table = new SeedTable(
            "Without one of them",
            ["without", "munmap", "truncate", "reclaim"],
            [.. removed.Select(one => Runs2010.Row(results, one, $"{one}: munmap", $"{one}: truncate", $"{one}: reclaim"))]);
        return (all, minimal) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "safe with SRCU, range_start first, and both locks sleeping; none of the four can be left out")
            { Tables = [table] },
            (true, false) => new SeedAnswer(SeedVerdict.Holds, "safe with all four, some of which are not needed") { Tables = [table] },
            _ => new SeedAnswer(SeedVerdict.Refuted, "something sleeps in atomic context even with all four") { Tables = [table] },
        };
    }
}
