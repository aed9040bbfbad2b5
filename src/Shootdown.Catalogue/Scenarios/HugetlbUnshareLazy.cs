using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A shared page table is given up with a flush that skips lazy CPUs, whose walk caches still lead to it.</summary>
public sealed class HugetlbUnshareLazy : Scenario
{
    /// <inheritdoc/>
    public override string Id => "hugetlb-unshare-lazy";

    /// <inheritdoc/>
    public override string Title => "a shared PMD table is given up, and a lazy CPU's walk cache keeps it";

    /// <inheritdoc/>
    public override int Year => 2025;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["hugetlb", "page-tables", "gather", "lazy"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 4, "CPU0 unmaps in mm, CPU1 unmaps in other, CPU2 is lazy with mm loaded, CPU3 runs a thread of mm"),
        new("pages", 1, 1, 2, "huge pages that the shared table maps"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        When a process gives up a PMD table that it shares, huge_pmd_unshare() clears the PUD entry, and since 2021 a flush follows
        (hugetlb-unshare-no-flush). The flush is one of leaf entries: freed_tables is not set, for this process frees no table. So
        it skips CPUs in lazy mode, as every flush of leaves may.

        But such a CPU's walk cache may hold the PUD entry, and its page walker runs ahead at any time. As soon as i_mmap_rwsem is
        dropped, the last user may free the table, with a flush of its own address space only. The lazy CPU then walks a page that is
        something else.

        The rework of 2025 (unshared_tables, fully_unshared_tables) flushes in the same way, and sends an IPI to all CPUs that waits for
        lockless walkers but drops nothing; without CONFIG_PARAVIRT there is not even that. That freed_tables stays 0 there was
        a question; exploration says that it matters.

        The fix here, which no kernel had when this was written: the unhooked table is recorded as a freed one, so that the flush
        reaches lazy CPUs.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "mm and other share the PMD table T. CPU2 goes over to a kernel thread; mm's root stays loaded; its walk cache holds PUD(A) -> T.",
        "CPU0 (mm): munmap: huge_pmd_unshare(): PUD(A) := none, T.count--; the flush skips CPU2, which is lazy.",
        "CPU1 (other): munmap: the last user: clears the entry, flushes other, frees T.",
        "CPU2: the walker runs ahead, follows the cached pointer, and reads T.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "mm/hugetlb.c: huge_pmd_unshare, huge_pmd_unshare_flush; include/asm-generic/tlb.h: tlb_flush_unshared_tables (6.1.192)",
        "arch/x86/include/asm/tlb.h: tlb_flush; arch/x86/mm/tlb.c: native_flush_tlb_multi, should_flush_tlb",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => FlushOfLeaves;

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { Files = true };

    /// <summary>hugetlb from a4a118f2eead (2021) on.</summary>
    internal static KernelParts FlushOfLeaves { get; } = new() { Hugetlb = kernel => new UnshareFlushesLeaves(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        var options = new MachineOptions
        {
            Cpus = setup["cpus"],
            Levels = 2,
            EntriesPerTable = 2,
            Tables = 3,
            Frames = 4,
            FrameColours = 4,
            Model = setup.Model,
            Tlb = setup.Tlb,
            SharedTables = true,
        };
        var kernel = new KernelModel(new MachineModel(options), BugOptions, PartsOf(setup));
        Mm mm = kernel.NewMm("mm", pages);
        Mm other = kernel.NewMm("other", pages);
        FileMapping file = kernel.NewFile("hugetlbfs", pages);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: true, dirty: true));
        }

        kernel.Hugetlb.BuildShared(mm, other, 0);
        var stage = new Stage(kernel, mm);
        Promise first = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        var second = new Promise(kernel.Machine, stage.Cpu(1), other.Space, 0, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => Unmap(kernel, stage.Cpu(0), mm, file, first));
        kernel.BuildRunning(stage.Cpu(1), other);
        kernel.Machine.AddTask(stage.Cpu(1), "munmap, other", () => Unmap(kernel, stage.Cpu(1), other, file, second));
        stage.AddThread(2, "kthread", () => RunKernelThread(kernel, stage.Cpu(2), mm));
        stage.AddPageWalker(2);
        if (setup["cpus"] > 3)
        {
            stage.AddThread(3, "user", () => Touch(stage.Cpu(3)));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    private static async Proc Unmap(KernelModel kernel, Cpu cpu, Mm mm, FileMapping file, Promise promise)
        => await kernel.Hugetlb.DoMunmap(cpu, mm, file, promise.FirstPage, promise.PageCount, promise);

    /// <summary>To a kernel thread and back to the process.</summary>
    private static async Proc RunKernelThread(KernelModel kernel, Cpu cpu, Mm mm)
    {
        await kernel.LazyTlb.EnterLazyTlb(cpu);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await Touch(cpu);
    }

    /// <summary>Loads, and ends with SIGBUS where nothing is mapped any more.</summary>
    private static async Proc Touch(Cpu cpu) => await cpu.AccessTouch(0);

    private sealed class UnshareFlushesLeaves(KernelModel kernel) : Hugetlb(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc TlbUnsharePmd(TlbGather tlb, int page)
        {
        }
    }
}
