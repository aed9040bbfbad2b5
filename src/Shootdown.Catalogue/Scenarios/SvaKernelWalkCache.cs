using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B49: an IOMMU walks a page table of the kernel that was freed.</summary>
public sealed class SvaKernelWalkCache : Scenario
{
    private const int SleepsInFlush = 1;

    /// <inheritdoc/>
    public override string Id => "sva-kernel-walk-cache";

    /// <inheritdoc/>
    public override string Number => "B49";

    /// <inheritdoc/>
    public override string Title => "an IOMMU walks page tables of the kernel, and nobody tells it when they are freed";

    /// <inheritdoc/>
    public override int Year => 2025;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["iommu", "page-tables", "vmalloc", "sleep"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 1, 1, 2, "CPU0 frees kernel memory, CPU1 is a user thread; there is a device besides"),
        new("pages", 1, 1, 2, "pages of the kernel's half, in a table of their own; the process has as many"),
        new("attempt", 0, 0, SleepsInFlush,
            "0: nobody invalidates; 1: the first version of the fix, which took a sleeping lock in the flush (P-atomic)"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        With SVA a device uses the page tables of a process, and on x86 the upper half of those is the kernel's. The device may
        not access it: the leaf entries deny that. But the check comes last. For a request to a kernel address the IOMMU walks down, and
        caches the upper entries that it passes.

        vfree() and others that give up kernel mappings flush the CPUs' TLBs and free page tables that became empty.
        Notifiers are not called, for no address space of a process changes. The IOMMU keeps a pointer to a table that is
        somebody else's page by now, and takes what is written there for page-table entries: whoever owns the page decides what the device may reach.

        The first version of the fix invalidated from flush_tlb_kernel_range(), under a mutex. That function runs with preemption
        off (bound "attempt"). Review led to another shape: tables of the kernel are freed by a worker, which invalidates all IOMMUs first.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "device: a request to kernel address K; the IOMMU caches PMD -> T, the leaf denies the access.",
        "CPU0: vfree(): clears the entries of T, unhooks T, flushes the CPUs, frees T.",
        "device: another request to K: the IOMMU reads T.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "Lu Baolu, \"iommu/sva: Invalidate KVA range on kernel TLB flush\", v1 of 4 July 2025, and later versions",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        bool sleeps = setup.IsBug && setup["attempt"] == SleepsInFlush;

        // Root, a table of the process, one of the kernel; the entries of the root are the two halves.
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], 2, 1) with
        {
            Levels = 2,
            Tables = 3,
            Devices = 1,
            Frames = 4,
            FrameColours = 1,
        };
        var kernel = new KernelModel(new MachineModel(options));
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: false);
        PageTable kernelTable = kernel.Machine.Paging.BuildPath(mm.Space, 2);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: true));
            kernel.Machine.Paging.BuildMapping(mm.Space, 2 + page, Pte.Leaf(2 + page, write: true));
        }

        var stage = new Stage(kernel, mm);
        IommuSva sva = stage.BindDevice(ats: false);
        var vfree = new KernelTables(kernel, sva, setup.IsBug, sleeps);
        stage.AddKernelThread(0, "vfree", () => vfree.Vfree(stage.Cpu(0), mm, kernelTable, pages));
        if (setup["cpus"] > 1)
        {
            stage.AddThread(1, "user", () => Stage.LoadPages(kernel, stage.Cpu(1), mm, pages));
        }

        sva.Device.AddProgram(() => WalkAhead(sva.Device));
        return stage.ToModel(setup, new PLife());
    }

    private static async Proc WalkAhead(Device device) => await device.SpeculativeWalks();

    /// <summary>Page tables of the kernel's half (mm/vmalloc.c, mm/pgtable-generic.c, drivers/iommu/iommu-sva.c).</summary>
    private sealed class KernelTables(KernelModel kernel, IommuSva sva, bool neverTells, bool sleeps) : Mechanism(kernel)
    {
        private readonly IommuSva _sva = sva;
        private readonly bool _neverTells = neverTells;
        private readonly bool _sleeps = sleeps;
        private readonly KernelMutex _svaLock = kernel.Machine.NewMutex("iommu_sva_lock");
        private readonly int _flush = kernel.Machine.Interrupts.RegisterFunction("do_kernel_range_flush", Flush);

        /// <summary>mm/vmalloc.c: <c>vfree</c>: the entries go, then the table, then the CPUs are flushed and the table is freed.</summary>
        public async Proc Vfree(Cpu cpu, Mm mm, PageTable table, int pages)
        {
            for (int page = table.BasePage; page < table.BasePage + pages; page++)
            {
                await cpu.EntryExchange(table, page, Pte.None, "ptep_get_and_clear");
            }

            await cpu.EntryExchange(new PageTable(mm.Space.RootTable, 1, 0), table.BasePage, Pte.None, "pmd_clear");
            await FlushTlbKernelRange(cpu, table, pages);
            await PagetableFreeKernel(cpu, table);
        }

        /// <summary>arch/x86/mm/tlb.c: <c>flush_tlb_kernel_range</c>: every CPU.</summary>
        private async Proc FlushTlbKernelRange(Cpu cpu, PageTable table, int pages)
        {
            await cpu.PreemptDisable();
            CpuSet others = Machine.AllCpus.Without(cpu);
            if (others != 0)
            {
                await cpu.SendIpi(others, _flush);
                await cpu.AwaitIpiAcknowledgements();
            }

            await cpu.FlushTlbLocal();
            if (_sleeps)
            {
                await cpu.MutexLock(_svaLock);
                await _sva.ArchInvalidateSecondaryTlbs(cpu, PageRange.Of(table.BasePage, pages));
                await cpu.MutexUnlock(_svaLock);
            }

            await cpu.PreemptEnable();
        }

        /// <summary>
        /// mm/pgtable-generic.c: <c>pagetable_free_kernel</c>: in the fix, what its worker does (<c>kernel_pgtable_work_func</c>): first
        /// <c>iommu_sva_invalidate_kva_range</c>, for which it may sleep.
        /// </summary>
        private async Proc PagetableFreeKernel(Cpu cpu, PageTable table)
        {
            if (!_neverTells)
            {
                await IommuSvaInvalidateKvaRange(cpu);
            }

            await cpu.FreeTable(table.Index, "__pagetable_free");
        }

        /// <summary>drivers/iommu/iommu-sva.c: <c>iommu_sva_invalidate_kva_range</c>.</summary>
        private async Proc IommuSvaInvalidateKvaRange(Cpu cpu)
        {
            await cpu.MutexLock(_svaLock);
            await _sva.ArchInvalidateSecondaryTlbs(cpu, PageRange.All);
            await cpu.MutexUnlock(_svaLock);
        }

        private static async Proc Flush(Cpu cpu, Cpu sender) => await cpu.FlushTlbLocal();
    }
}
