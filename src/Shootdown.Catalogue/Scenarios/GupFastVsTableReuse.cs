using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B33: the table that a lockless walker is about to read is freed and used again.</summary>
public sealed class GupFastVsTableReuse : Scenario
{
    private const int AnonPath = 0;

    /// <inheritdoc/>
    public override string Id => "gup-fast-vs-collapse-table-reuse";

    /// <inheritdoc/>
    public override string Number => "B33";

    /// <inheritdoc/>
    public override string Title => "GUP-fast reads a page table that khugepaged took away and that was freed";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["2ba99c5e0881"];

    /// <inheritdoc/>
    public override string Seed => "001";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["gup", "page-tables", "collapse", "broadcast", "rcu"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 collapses, the others pin page 0"),
        new("pages", 1, 1, 2, "pages that are mapped; the huge page has 2"),
        new("path", 0, 0, 1, "0 anonymous: the table is put aside and freed when the huge page is unmapped; 1 file: it is freed at once"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        khugepaged unhooks a page table and flushes. Of anonymous memory the table is put aside for the day when the
        huge page is split; if the huge page is unmapped instead, the table is freed, without any further wait. Of
        a file the table is freed at once.

        A lockless walker (GUP-fast, interrupts off) may have read the entry that pointed to the table. Where the
        TLB flush is an IPI, the flush has waited for it. Where it is a broadcast or a hypercall nobody has, and
        the walker reads entries in a page that is something else by now. To read the PMD again (the fix of
        gup-fast-vs-collapse) does not help: the wrong bytes have been read by then.

        The fix sends an empty IPI to all CPUs behind the flush (tlb_remove_table_sync_one()), and waits. That is no
        RCU grace period, but it waits for walkers with interrupts off. Of files, 6.6 frees the table after a
        grace period instead (pte_free_defer()).
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: gup_fast(), interrupts off: reads PMD(A) = T.",
        "CPU0: khugepaged: PMD(A) := none; the flush completes without waiting for CPU1; T is put aside (or freed).",
        "CPU0: madvise(MADV_DONTNEED) on the huge page: zap_deposited_table() frees T; T is used for something else.",
        "CPU1: reads its PTE in T.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 2ba99c5e0881, \"mm/khugepaged: fix GUP-fast interaction by sending IPI\"",
        "mm/khugepaged.c: collapse_huge_page; mm/huge_memory.c: zap_deposited_table; mm/pgtable-generic.c: pte_free_defer",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new()
    {
        Khugepaged = kernel => new GupFastVsCollapse.CollapseWithoutSync(kernel),
        PmdCollapse = kernel => new FreeAtOnce(kernel),
        TlbFlush = kernel => new HypervisorTlbFlush(kernel),
    };

    /// <inheritdoc/>
    public override KernelOptions BugOptions => CollapseStage.Options;

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        KernelParts parts = setup.IsBug ? PartsOf(setup) : new KernelParts { TlbFlush = kernel => new HypervisorTlbFlush(kernel) };
        bool anon = setup["path"] == AnonPath;
        Stage stage = CollapseStage.Make(setup, setup["cpus"], setup["pages"], parts, grace: !anon);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, CollapseStage.Span, PromiseKind.Removed, "madvise()");
        if (anon)
        {
            stage.AddThread(0, "madvise", () => CollapseAndDiscard(kernel, stage.Cpu(0), mm, promise));
        }
        else
        {
            stage.AddThread(0, "khugepaged", () => Retract(kernel, stage.Cpu(0), mm));
        }

        for (int index = 1; index < setup["cpus"]; index++)
        {
            var call = new GupCall(stage.Cpu(index), mm, 0, GupFlags.Pin | GupFlags.Write | GupFlags.FastOnly);
            stage.AddThread(index, "O_DIRECT", () => PinOnce(kernel, call));
        }

        return stage.ToModel(setup, new PLife(), new PPin());
    }

    /// <summary>madvise(MADV_COLLAPSE), then MADV_DONTNEED.</summary>
    private static async Proc CollapseAndDiscard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await kernel.Khugepaged.CollapseHugePage(cpu, mm, 0);
        await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
    }

    private static async Proc Retract(KernelModel kernel, Cpu cpu, Mm mm) => await kernel.PmdCollapse.CollapsePteMappedThp(cpu, mm, 0);

    private static async Proc PinOnce(KernelModel kernel, GupCall call)
    {
        int frame = await kernel.Gup.GupFastFallback(call);
        if (frame >= 0)
        {
            await kernel.Gup.UnpinUserPage(call, frame);
        }
    }

    /// <summary>Until 6.6 collapse of files freed the table directly behind the flush (<c>collapse_and_free_pmd</c>).</summary>
    private sealed class FreeAtOnce(KernelModel kernel) : PmdCollapse(kernel)
    {
        /// <inheritdoc/>
        public override async Proc PteFreeDefer(Cpu cpu, int table) => await cpu.FreeTable(table, "pte_free");
    }
}
