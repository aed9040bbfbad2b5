namespace Shootdown.Catalogue;

/// <summary>S004-02: the order of gather and range_start.</summary>
public sealed class GatherBehindRangeStart : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-02";

    /// <inheritdoc/>
    public override string Lines => "12-13";

    /// <inheritdoc/>
    public override string Claim => "the gather must start behind invalidate_range_start if the callback sleeps";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Two processes unmap on two CPUs with callbacks that sleep: the gather of the CPU, and one on the stack as since 2011; each before and
        behind range_start. Once judged by P-atomic, once on a kernel that lets the sleep through, by P-life. Then two MADV_DONTNEED of
        today's kernel with a notifier, in both orders: does it matter when mm->tlb_flush_pending goes up?
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        Runs2010.Atomic("per CPU, gather first", new Design2010(), 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Life("per CPU, gather first, let through", new Design2010(), 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("per CPU, notifier first", Runs2010.Proposed, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Life("per CPU, notifier first, let through", Runs2010.Proposed, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("stack, gather first", new Design2010 { GatherOnStack = true }, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Life("stack, gather first, let through", new Design2010 { GatherOnStack = true }, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Atomic("stack, notifier first", Runs2010.Proposed with { GatherOnStack = true }, 1, Call2010.Munmap, Call2010.Munmap),
        Runs2010.Life("stack, notifier first, let through", Runs2010.Proposed with { GatherOnStack = true }, 1, Call2010.Munmap, Call2010.Munmap),
        PendingOrder.Run("pending count, gather first", false),
        PendingOrder.Run("pending count, notifier first", true),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool perCpu = results.Violated("per CPU, gather first") && results.Violated("per CPU, gather first, let through");
        bool fix = results.Passed("per CPU, notifier first") && results.Passed("per CPU, notifier first, let through");
        bool stack = results.Runs.Where(run => run.Name.StartsWith("stack", StringComparison.Ordinal)).All(run => results.Passed(run.Name));
        bool pending = results.Passed("pending count, gather first") && results.Passed("pending count, notifier first");
        var table = new SeedTable(
            "Order of tlb_gather_mmu and invalidate_range_start",
            ["gather", "order", "sleeps where it must not", "what comes of it"],
            [
                ["the CPU's", "gather first", results["per CPU, gather first"].Cell, results["per CPU, gather first, let through"].Cell],
                ["the CPU's", "notifier first", results["per CPU, notifier first"].Cell, results["per CPU, notifier first, let through"].Cell],
                ["on the stack", "gather first", results["stack, gather first"].Cell, results["stack, gather first, let through"].Cell],
                ["on the stack", "notifier first", results["stack, notifier first"].Cell, results["stack, notifier first, let through"].Cell],
            ]);
        return (perCpu, fix, stack) switch
        {
            (true, true, true) => new SeedAnswer(
                SeedVerdict.Depends,
                "needed while the gather is the CPU's; on the stack the order does not matter"
                + (pending ? ", for tlb_flush_pending neither" : ", but for tlb_flush_pending it does"))
            { Tables = [table] },
            (true, true, false) => new SeedAnswer(SeedVerdict.Holds, "needed, also for a gather on the stack") { Tables = [table] },
            _ => new SeedAnswer(SeedVerdict.Refuted, "the runs do not differ as the mail says") { Tables = [table] },
        };
    }
}
