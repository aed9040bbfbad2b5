namespace Shootdown.Catalogue;

/// <summary>S004-06: lock breaks inside a gather.</summary>
public sealed class LockBreakInsideGather : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-06";

    /// <inheritdoc/>
    public override string Lines => "28-30";

    /// <inheritdoc/>
    public override string Claim => "lock breaks in unmap_vmas: the gather must be atomic, or the task moves to another CPU with it in its hand";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Two processes unmap two pages each; between the pages unmap_vmas reschedules. 2.6.33 finishes the gather before that and starts another
        one behind it; the alternative keeps it. Judged by P-atomic, and by P-life on a kernel that lets the sleep through.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Runs2010.Atomic("finished before", Runs2010.Proposed with { BlockPages = 1 }, 2, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Life("finished before, let through", Runs2010.Proposed with { BlockPages = 1 }, 2, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("kept", Runs2010.Proposed with { BlockPages = 1, FinishesBeforeBreak = false }, 2, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Life("kept, let through", Runs2010.Proposed with { BlockPages = 1, FinishesBeforeBreak = false }, 2, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("kept, on the stack", Runs2010.Proposed with { BlockPages = 1, FinishesBeforeBreak = false, GatherOnStack = true }, 2,
            Call2010.Munmap, Call2010.Munmap),
        Runs2010.Life("kept, on the stack, let through", Runs2010.Proposed with { BlockPages = 1, FinishesBeforeBreak = false, GatherOnStack = true }, 2,
            Call2010.Munmap, Call2010.Munmap),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool finished = results.Passed("finished before") && results.Passed("finished before, let through");
        bool kept = results.Violated("kept") && results.Violated("kept, let through");
        bool stack = results.Passed("kept, on the stack") && results.Passed("kept, on the stack, let through");
        var table = new SeedTable(
            "A break between two pages of unmap_vmas",
            ["gather", "sleeps where it must not", "what comes of it"],
            [
                Runs2010.Row(results, "finished before the break", "finished before", "finished before, let through"),
                Runs2010.Row(results, "kept across the break", "kept", "kept, let through"),
                Runs2010.Row(results, "kept, on the stack", "kept, on the stack", "kept, on the stack, let through"),
            ]);
        return (finished && kept, stack) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Holds, "a CPU's gather that is kept across the break is shared, and a frame is reached after its free; on the stack it may be kept")
            { Tables = [table] },
            (true, false) => new SeedAnswer(SeedVerdict.Holds, "a gather that is kept across the break is unsafe, also on the stack") { Tables = [table] },
            _ => new SeedAnswer(SeedVerdict.Refuted, "the break does not decide it") { Tables = [table] },
        };
    }
}
