using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S03: a dying address space is flushed first and taken apart afterwards.</summary>
public sealed class S390FullmmSpeculativeFill : Scenario
{
    /// <inheritdoc/>
    public override string Id => "s390-fullmm-speculative-fill";

    /// <inheritdoc/>
    public override string Number => "S03";

    /// <inheritdoc/>
    public override string Title => "a dying process is flushed first and taken apart afterwards";

    /// <inheritdoc/>
    public override int Year => 2016;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["02a8f3abb708"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["page-tables", "exit", "gather", "other-architecture"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 1, 1, 3, "CPU0 runs the process's exit; the others keep its page tables loaded"),
        new("pages", 1, 1, 3, "pages of the process"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        When a process ends, nobody will use its memory again. s390 therefore flushed the whole address space
        once, at the beginning of the teardown, and then freed pages and page tables one by one without any
        further flush.

        But the page tables are still loaded: the CPU that runs exit_mmap() has left the process and not
        loaded other tables yet, and its hardware may create translations at any time, also after the flush,
        as long as it finds valid entries. They point to what is freed next. The hardware then walks through a
        page table that is used for something else.

        The fix makes the teardown like any other removal: entries are invalidated, tables are collected, one
        flush, and then everything is freed. (It also loads the kernel's own tables when the user's are out of
        date.)
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: exit_mmap: flushes the address space; its tables are still loaded.",
        "CPU0: the hardware caches the entry that points to T.",
        "CPU0: clears the entries of T, unhooks T, frees T.",
        "CPU0: the walker runs ahead, follows the cached pointer, and reads T.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 02a8f3abb708 (s390/mm, 2016)",
        "arch/s390/include/asm/tlb.h, tlbflush.h; mm/mmap.c: exit_mmap; mm/mmu_gather.c: tlb_gather_mmu_fullmm",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 1) with { Levels = 2, Tables = 2 };
        var parts = new KernelParts { TlbFlush = kernel => new FlushEverywhere(kernel) };
        if (setup.IsBug)
        {
            parts = parts with
            {
                MmuGather = kernel => new FlushFirst(kernel),
                PageTableFree = kernel => new FreeAtOnce(kernel),
            };
        }

        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        stage.Machine.AddTask(stage.Cpu(0), "exit", () => kernel.ExitMmap.ExitMm(stage.Cpu(0), mm));
        for (int index = 0; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            kernel.BuildRunning(cpu, mm);
            stage.AddPageWalker(index);
        }

        return stage.ToModel(setup, new PLife());
    }

    /// <summary>s390's flush: one instruction for all CPUs; no CPU changes what it has loaded.</summary>
    private sealed class FlushEverywhere(KernelModel kernel) : TlbFlush(kernel)
    {
        /// <inheritdoc/>
        public override async Proc FlushTlbMmRange(
            Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
            => await cpu.TlbiAll("[ IDTE: TLBs of all CPUs flushed ]");
    }

    /// <summary>The gather before 02a8f3abb708: for a whole address space, one flush at the beginning.</summary>
    private sealed class FlushFirst(KernelModel kernel) : MmuGather(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<TlbGather> TlbGatherMmuFullmm(Cpu cpu, Mm mm)
        {
            TlbGather tlb = await base.TlbGatherMmuFullmm(cpu, mm);
            await Kernel.TlbFlush.FlushTlbMm(cpu, mm);
            return tlb;
        }

        /// <inheritdoc/>
        protected override async Proc TlbFlush(TlbGather tlb, ulong flags)
        {
            if ((flags & GatherWords.FullMm) == 0)
            {
                await base.TlbFlush(tlb, flags);
            }
        }
    }

    /// <summary>Tables of a dying address space are not collected.</summary>
    private sealed class FreeAtOnce(KernelModel kernel) : PageTableFree(kernel)
    {
        /// <inheritdoc/>
        public override async Proc TlbRemoveTable(TlbGather tlb, int table)
        {
            ulong flags = await tlb.Cpu.Load(tlb.Words.Flags);
            if ((flags & GatherWords.FullMm) != 0)
            {
                await tlb.Cpu.FreeTable(table, "page_table_free");
            }
            else
            {
                await base.TlbRemoveTable(tlb, table);
            }
        }
    }
}
