using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B31: flush_tlb_range() says "no tables freed" for a flush that removes a page table.</summary>
public sealed class CollapseFlushSkipsLazy : Scenario
{
    /// <inheritdoc/>
    public override string Id => "collapse-flush-skips-lazy";

    /// <inheritdoc/>
    public override string Number => "B31";

    /// <inheritdoc/>
    public override string Title => "collapse removes a page table but does not flush lazy CPUs";

    /// <inheritdoc/>
    public override int Year => 2025;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["3ef938c35035", "016c4d92cd16"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["lazy", "page-tables", "collapse", "rcu"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 is khugepaged, the others run kernel threads on borrowed page tables"),
        new("pages", 1, 1, 2, "pages of the table that is removed"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        On x86 a flush says whether page tables of its range are being freed. If not, CPUs in lazy TLB mode are
        left alone: they make no user access, and catch up by generation later. If so they must be interrupted,
        because their page walkers may run ahead through a cached pointer to the table (lazy-tlb-freed-tables).

        munmap() passes that on from its gather. But there is another way to remove a table: when khugepaged
        replaces the small pages of a range by a huge one, pmdp_collapse_flush() clears the entry that points
        to the table and calls flush_tlb_range(). On x86 that was defined with freed_tables = false, in the
        belief that only leaves change in a range flush. So lazy CPUs were skipped, the table was freed after a
        grace period, which hardware does not take part in, and a lazy CPU could walk it.

        The damage was small in 2025, but it would have become large with broadcast invalidations of AMD that
        drop final entries only unless told otherwise. The fix lets flush_tlb_range() always claim that tables
        may have been freed, as arm64 does.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: runs a kernel thread; mm's root stays loaded; a walk cache holds PMD -> T.",
        "CPU0: khugepaged: pmdp_collapse_flush(): PMD = none; flush_tlb_range() skips CPU1, which is lazy.",
        "CPU0: pte_free_defer(T); the grace period ends; T is freed.",
        "CPU1: the walker runs ahead, follows the cached pointer, and reads T.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 3ef938c35035, \"x86/mm: Fix flush_tlb_range() when used for zapping normal PMDs\"",
        "mm/khugepaged.c: collapse_pte_mapped_thp; mm/pgtable-generic.c: pmdp_collapse_flush, pte_free_defer",
        "arch/x86/include/asm/tlbflush.h: flush_tlb_range; arch/x86/mm/tlb.c: native_flush_tlb_multi",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { TlbFlush = kernel => new FlushRangeBefore2025(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 1) with
        {
            Levels = 2,
            Tables = 2,
            GracePeriods = true,
        };
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddThread(0, "khugepaged", () => kernel.PmdCollapse.CollapsePteMappedThp(stage.Cpu(0), mm, 0));
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "kthread", () => RunKernelThread(kernel, cpu, mm));
            stage.AddPageWalker(index);
        }

        return stage.ToModel(setup, new PLife());
    }

    /// <summary>To a kernel thread and back to the process.</summary>
    private static async Proc RunKernelThread(KernelModel kernel, Cpu cpu, Mm mm)
    {
        await kernel.LazyTlb.EnterLazyTlb(cpu);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
    }

    /// <summary>flush_tlb_range() before 3ef938c35035.</summary>
    private sealed class FlushRangeBefore2025(KernelModel kernel) : TlbFlush(kernel)
    {
        /// <inheritdoc/>
        public override async Proc FlushTlbRange(Cpu cpu, Mm mm, PageRange range)
            => await FlushTlbMmRange(cpu, mm, range, 0, false);
    }
}
