using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B19: a CPU in lazy TLB mode walks a page table that was freed.</summary>
public sealed class LazyTlbFreedTables : Scenario
{
    /// <inheritdoc/>
    public override string Id => "lazy-tlb-freed-tables";

    /// <inheritdoc/>
    public override string Number => "B19";

    /// <inheritdoc/>
    public override string Title => "lazy CPUs are not flushed and walk a page table that was freed";

    /// <inheritdoc/>
    public override int Year => 2018;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["2ff6ddf19c0e", "b956575bed91"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["lazy", "page-tables", "munmap"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 runs a kernel thread, CPU1 unmaps, CPU2 is a user thread"),
        new("pages", 1, 1, 2, "pages of the table that is freed"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        When a CPU goes from a user thread to a kernel thread, x86 leaves the user page tables loaded: most
        often the next switch goes back to the same process, and the TLB is still warm. Meanwhile the CPU is
        "lazy": it makes no user access, so flushing it can wait; it catches up by generation when it leaves
        lazy mode. Interrupting idle CPUs for flushes is expensive, so skipping them is worth a lot.

        But the hardware does not know that it is lazy. Its page walker runs ahead at any time, for any
        address, and starts from what it has in its paging-structure caches. If munmap() frees a page table
        and skips the lazy CPU, the walker follows its cached pointer into a page that is used for something
        else by now, and takes what it finds there for page-table entries: garbage enters the TLB, or the walk
        touches a device's registers (a machine check).

        In 2017 lazy CPUs were made to leave the user page tables at every flush. Since 2ff6ddf19c0e (2018)
        only flushes that free page tables interrupt them (they then switch to init_mm), and all others leave
        them alone.

        The bug here is a flush that skips lazy CPUs whatever it is for.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: goes over to a kernel thread (enter_lazy_tlb); mm's root stays loaded; a walk cache holds PMD -> T.",
        "CPU1: munmap: clears the entries of T, unhooks T, flushes without CPU0, because that is lazy; frees T.",
        "CPU0: the walker runs ahead, follows the cached pointer, and reads T.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 2ff6ddf19c0e, \"x86/mm/tlb: Leave lazy TLB mode at page table free time\"",
        "commit 52a288c73615 reverted it; it was done again later in 2018",
        "arch/x86/mm/tlb.c: native_flush_tlb_multi, flush_tlb_func, enter_lazy_tlb",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { TlbFlush = kernel => new FlushSkipsLazy(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];

        // The top-level table and one leaf table, which maps all pages.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with { Levels = 2, Tables = 3 };
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddThread(0, "kthread", () => RunKernelThread(kernel, stage.Cpu(0), mm));
        stage.AddPageWalker(0);
        Promise promise = stage.Promise(1, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(1, "munmap", () => kernel.Munmap.DoMunmap(stage.Cpu(1), mm, promise));
        if (cpus > 2)
        {
            stage.AddThread(2, "user", () => Stage.LoadPages(kernel, stage.Cpu(2), mm, pages));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    /// <summary>To a kernel thread and back to the process.</summary>
    private static async Proc RunKernelThread(KernelModel kernel, Cpu cpu, Mm mm)
    {
        await kernel.LazyTlb.EnterLazyTlb(cpu);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await kernel.UserAccess.UserLoad(cpu, mm, 0);
    }

    /// <summary>native_flush_tlb_multi() without the exception for freed tables.</summary>
    private sealed class FlushSkipsLazy(KernelModel kernel) : TlbFlush(kernel)
    {
        /// <inheritdoc/>
        public override async Proc FlushTlbMulti(Cpu cpu, CpuSet mask, FlushTlbInfo info)
            => await base.FlushTlbMulti(cpu, mask, info.WithoutFreedTables());
    }
}
