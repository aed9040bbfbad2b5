using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B44: between two areas the gather's range is forgotten before the notifiers hear of it.</summary>
public sealed class TlbEndVmaNoNotifier : Scenario
{
    /// <inheritdoc/>
    public override string Id => "tlb-end-vma-no-notifier";

    /// <inheritdoc/>
    public override string Number => "B44";

    /// <inheritdoc/>
    public override string Title => "the gather's range is reset between two areas, and the notifier never hears of the first";

    /// <inheritdoc/>
    public override int Year => 2018;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["fd1102f0aade"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "iommu", "gather", "munmap"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 1, 1, 2, "CPU0 unmaps, CPU1 is a user thread; there is a device besides"),
        new("pages", 2, 2, 3, "pages that are unmapped, each an area of its own"),
        new("ats", 0, 0, 1, "1 if the device has a TLB of its own behind the IOMMU's"),
        new("room", 0, 0, 1, "1 if the gather has room for all pages: then the end of the notifier's range comes before anything is freed"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A device shares the page tables of a process. Its IOMMU caches translations, and nobody but the notifiers tells it
        when they go. Up to 6.5 the gather told them: whenever it flushed the CPUs' TLBs, mmu_notifier_invalidate_range() got the
        same range.

        Except in one place. Where an architecture has no flush of its own for it, tlb_end_vma() flushed the CPUs behind each
        area and reset the gather's range, because the next area might be anywhere. It did not call the notifiers, and the
        later flush, which did, no longer knew of the first area. If the gather is full before the whole range is done, the
        first area's pages are freed with that flush, and the device still reads and writes them.

        The fix puts the call of the notifiers into the helper that all flushes go through.

        If the gather has room for everything (bound "room"), nothing happens: mmu_notifier_invalidate_range_end() of that
        time told the secondary TLBs of the whole range once more, and it came before the first page was freed.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "device: loads A; the IOTLB holds A -> F.",
        "CPU0: munmap(A, B), two areas: clears A; tlb_end_vma() flushes the CPUs and resets the range.",
        "CPU0: clears B; the gather is full: flush, notifiers told of B only; F is freed.",
        "device: loads A through the old entry of its IOTLB.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit fd1102f0aade, \"mm: mmu_notifier fix for tlb_end_vma\"",
        "include/asm-generic/tlb.h: tlb_end_vma, tlb_flush_mmu_tlbonly",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 2) with { Devices = 1 };
        KernelParts parts = DeviceStage.InvalidateRangeParts() with
        {
            MmuGather = kernel => new GatherOf2018(kernel, setup.IsBug),
            Zap = kernel => new ZapAreaByArea(kernel),
        };
        var build = new KernelOptions { GatherFrames = setup["room"] == 1 ? pages + 1 : pages };
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, parts, build);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        Device device = stage.BindDevice(setup["ats"] == 1).Device;
        stage.AddThread(0, "munmap", () => kernel.Munmap.DoMunmap(stage.Cpu(0), mm, promise));
        if (setup["cpus"] > 1)
        {
            stage.AddThread(1, "user", () => Stage.LoadPages(kernel, stage.Cpu(1), mm, pages));
        }

        device.AddProgram(() => DeviceStage.LoadPages(device, pages));
        return stage.ToModel(setup, new PLife(), new PRet());
    }

    /// <summary>The generic tlb_end_vma() of 2018; with the bug it flushes past the helper that tells the notifiers.</summary>
    private sealed class GatherOf2018(KernelModel kernel, bool forgetsNotifiers) : InvalidateRangeGather(kernel)
    {
        private readonly bool _forgetsNotifiers = forgetsNotifiers;

        /// <inheritdoc/>
        public override async Proc TlbEndVma(TlbGather tlb)
        {
            if (!_forgetsNotifiers)
            {
                await TlbFlushMmuTlbonly(tlb);
                return;
            }

            var range = new PageRange(await tlb.Cpu.Load(tlb.Words.Range));
            await Kernel.TlbFlush.FlushTlbRange(tlb.Cpu, tlb.Mm, range);
            await tlb.Cpu.Store(tlb.Words.Range, 0);
            await tlb.Cpu.Store(tlb.Words.Flags, await tlb.Cpu.Load(tlb.Words.Flags) & GatherWords.StayMask);
        }
    }

    /// <summary>Every page is an area of its own.</summary>
    private sealed class ZapAreaByArea(KernelModel kernel) : Zap(kernel)
    {
        /// <inheritdoc/>
        public override async Proc UnmapPageRange(TlbGather tlb, int first, int end, FileArea? area)
        {
            for (int page = first; page < end; page++)
            {
                await base.UnmapPageRange(tlb, page, page + 1, area);
            }
        }
    }
}
