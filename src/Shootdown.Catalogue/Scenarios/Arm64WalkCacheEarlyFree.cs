using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B30: arm64 frees a page table while walk caches still point to it.</summary>
public sealed class Arm64WalkCacheEarlyFree : Scenario
{
    /// <inheritdoc/>
    public override string Id => "arm64-walk-cache-early-free";

    /// <inheritdoc/>
    public override string Number => "B30";

    /// <inheritdoc/>
    public override string Title => "arm64 frees page tables that walk caches still point to";

    /// <inheritdoc/>
    public override int Year => 2015;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["285994a62c80", "5e5f6dc10546"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["arm64", "page-tables", "munmap", "broadcast", "other-architecture"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 1, 3, "CPU0 unmaps; the walkers of the others run ahead, or with one CPU its own"),
        new("pages", 1, 1, 2, "pages of the table that is freed"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        arm64 lets CPUs cache entries of upper levels. A page table may be freed only after the entry that
        points to it was cleared and that level was invalidated.

        Until 2014 tables were queued with the pages of munmap(), behind whose invalidation they were freed.
        Then arm64 began to use the code that frees tables after an RCU grace period, which leaves invalidating
        to the architecture. And if a process had a single user (mm_users < 2) that code did not wait for
        anything: the table was freed on the spot, before tlb_finish_mmu() invalidated. In between any walker
        may follow its cached pointer into the table: that of another CPU on which the process ran last, or
        that of the same CPU, running ahead.

        The fix invalidates the upper level in __pte_free_tlb(), before the table is handed over.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: idle with mm's root loaded; a walk cache holds PMD -> T.",
        "CPU0: munmap: clears the entries of T, unhooks T; a single user: frees T.",
        "CPU1: the walker runs ahead, follows the cached pointer, and reads T.",
        "CPU0: tlb_finish_mmu: invalidates, too late.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 285994a62c80, \"arm64: Invalidate the TLB corresponding to intermediate page table levels\"",
        "arch/arm64/include/asm/tlb.h: __pte_free_tlb; mm/memory.c (4.0): tlb_remove_table",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        bool isBug = setup.IsBug;
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with { Levels = 2, Tables = 3, Asids = 2 };
        var parts = new KernelParts
        {
            TlbFlush = kernel => new Arm64TlbFlush(kernel),
            SwitchMm = kernel => new Arm64Context(kernel),
            PageTableFree = kernel => isBug ? new SingleUserFree(kernel) : new InvalidateThenFree(kernel),
        };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        ((Arm64Context)kernel.SwitchMm).BuildContext(mm, 1);
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        stage.Machine.AddTask(stage.Cpu(0), "munmap", () => UnmapAndLoad(kernel, stage.Cpu(0), mm, promise));
        for (int index = 0; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            kernel.BuildRunning(cpu, mm, 1);
            if (index > 0 || cpus == 1)
            {
                stage.AddPageWalker(index);
            }
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    private static async Proc UnmapAndLoad(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await kernel.Munmap.DoMunmap(cpu, mm, promise);
        await kernel.UserAccess.UserLoad(cpu, mm, promise.FirstPage);
    }

    /// <summary>tlb_remove_table() for a process with a single user, until 2018.</summary>
    private class SingleUserFree(KernelModel kernel) : PageTableFree(kernel)
    {
        /// <inheritdoc/>
        public override async Proc TlbRemoveTable(TlbGather tlb, int table) => await FreeTables(tlb.Cpu, 1UL << table);
    }

    /// <summary>The same, with the __pte_free_tlb() of arm64 since 285994a62c80.</summary>
    private sealed class InvalidateThenFree(KernelModel kernel) : SingleUserFree(kernel)
    {
        /// <inheritdoc/>
        public override async Proc PteFreeTlb(TlbGather tlb, int page, int level, int table)
        {
            await ((Arm64TlbFlush)Kernel.TlbFlush).FlushTlbPgtable(tlb.Cpu, tlb.Mm, page);
            await base.PteFreeTlb(tlb, page, level, table);
        }
    }
}
