using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B29: a page table goes back to the allocator before the walk caches were invalidated.</summary>
public sealed class RcuTableFreeNoInvalidate : Scenario
{
    /// <inheritdoc/>
    public override string Id => "rcu-table-free-no-invalidate";

    /// <inheritdoc/>
    public override string Number => "B29";

    /// <inheritdoc/>
    public override string Title => "page tables are freed before walk caches are invalidated";

    /// <inheritdoc/>
    public override int Year => 2018;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["706a1ea65e"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["page-tables", "rcu", "munmap"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 unmaps, the others are threads of the process"),
        new("pages", 1, 1, 2, "pages of the table that is freed"),
        new("path", 0, 0, 1, "how the bug frees at once: 0 no memory for the batch, 1 single-user shortcut"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        With CONFIG_MMU_GATHER_RCU_TABLE_FREE page tables that munmap() unhooks are collected in a batch and
        freed after an RCU grace period, because walkers in software (GUP-fast) run without locks. If no page
        for the batch can be had, tlb_remove_table() makes do without: it sends an empty IPI to everybody, and
        when all have answered no software walker can be in the table any more; then the table is freed.

        That code was written for machines whose page-table walk does not cache upper levels. x86 began to use
        it in 2017, and x86 does: until the TLB is flushed, a CPU may hold "PMD -> T" in its paging-structure
        caches and start the next walk at T. An IPI without an invalidation does not remove that. The flush of
        munmap() comes at its end, so a table that was freed on the way may be in use for something else when
        a CPU walks through it. The code had a second short way, for processes with a single user
        (mm_users < 2), whose tables were freed at once: but other CPUs may be lazy on that address space or
        run ahead.

        The fixes of 2018 invalidate before a table goes to RCU or to the fallback (tlb_table_invalidate), and
        drop the shortcut.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: a walk cache holds PMD -> T.",
        "CPU0: munmap: clears the entries of T, unhooks T.",
        "CPU0: tlb_remove_table(T): no page for the batch; an empty IPI to all CPUs; T is freed.",
        "CPU1: walks from the cached pointer and reads T.",
        "CPU0: tlb_finish_mmu: flushes, too late.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "merge 706a1ea65e (2018): \"Merge branch 'tlb-fixes'\"",
        "mm/mmu_gather.c: tlb_remove_table, tlb_table_invalidate, tlb_remove_table_sync_one, tlb_table_flush",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with
        {
            Levels = 2,
            Tables = 3,
            GracePeriods = true,
        };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, PartsOf(setup), BugOptions);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => kernel.Munmap.DoMunmap(stage.Cpu(0), mm, promise));
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => setup["path"] == 0
        ? new() { PageTableFree = kernel => new FallbackWithoutInvalidate(kernel) }
        : new() { PageTableFree = kernel => new SingleUserShortcut(kernel) };

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { RcuTableFree = true, TableBatchMayFail = true };

    /// <summary>tlb_remove_table() before 2018: tlb_remove_table_one() does not invalidate.</summary>
    private sealed class FallbackWithoutInvalidate(KernelModel kernel) : PageTableFree(kernel)
    {
        /// <inheritdoc/>
        public override async Proc TlbTableInvalidate(TlbGather tlb)
        {
        }
    }

    /// <summary>tlb_remove_table() before 2018: a process with a single user needs no care.</summary>
    private sealed class SingleUserShortcut(KernelModel kernel) : PageTableFree(kernel)
    {
        /// <inheritdoc/>
        public override async Proc TlbRemoveTable(TlbGather tlb, int table) => await FreeTables(tlb.Cpu, 1UL << table);
    }
}
