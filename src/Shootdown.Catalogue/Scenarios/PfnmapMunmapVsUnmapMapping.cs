using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B11: a driver is told that nobody maps its memory while a TLB still does.</summary>
public sealed class PfnmapMunmapVsUnmapMapping : Scenario
{
    /// <inheritdoc/>
    public override string Id => "pfnmap-munmap-vs-unmap-mapping";

    /// <inheritdoc/>
    public override string Number => "B11";

    /// <inheritdoc/>
    public override string Title => "a driver frees memory that munmap has unlinked but not flushed";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["b67fbebd4cf9", "CVE-2022-39188"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["deferred-flush", "gather", "munmap", "driver"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 5, "CPU0 unmaps, CPU1 is the driver, the others are user threads"),
        new("pages", 1, 1, 4, "pages of the driver's memory"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Drivers map their own memory into processes (VM_PFNMAP): a graphics buffer, say. The kernel keeps no
        reference counts for it. When the driver wants to move or free it, it calls unmap_mapping_range(),
        which goes through the list of areas that map the object, removes all entries, and flushes. After
        that, nobody can reach the memory.

        munmap() of such an area clears the entries and records them in its gather. Then free_pgtables() takes
        the area off the object's list. The flush comes last, in tlb_finish_mmu(). For normal pages that is
        enough, because the gather holds their last references until the flush; here it holds nothing.

        If the driver calls unmap_mapping_range() after the area left the list and before the flush, it finds
        no area, does nothing, and returns at once. The driver frees the memory while other threads of the
        process still reach it through their TLBs.

        Since 5.19 the gather notes whether an area is VM_PFNMAP, and tlb_end_vma() then flushes before the
        area leaves the list.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: loads A, mapped to the driver's frame D; its TLB holds A -> D.",
        "CPU0: munmap: the entry is cleared and recorded; the area leaves the object's list; no flush yet.",
        "CPU1: the driver calls unmap_mapping_range(): no area is linked; it returns; D is freed.",
        "CPU2: loads A through its TLB and reads D.",
        "CPU0: tlb_finish_mmu() flushes.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit b67fbebd4cf9, \"mmu_gather: Force tlb-flush VM_PFNMAP vmas\"",
        "include/asm-generic/tlb.h: tlb_end_vma; mm/memory.c: unmap_mapping_range, free_pgtables",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { MmuGather = kernel => new GatherMergesVmas(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, framesPerPage: 1);
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedFile(options, pages, mmapWriters: true, FileAreaKind.PfnMap, parts);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => kernel.Munmap.DoMunmap(stage.Cpu(0), mm, promise));
        stage.AddKernelThread(1, "driver", () => FreeObject(kernel, stage.Cpu(1), pages));
        for (int index = 2; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    /// <summary>Takes the object away from whoever maps it, and frees it.</summary>
    private static async Proc FreeObject(KernelModel kernel, Cpu cpu, int pages)
    {
        await kernel.Truncate.UnmapMappingRange(cpu, kernel.Files[0], 0, pages);
        await cpu.FreeFrames(Stage.MappedFrames(pages), "driver_free");
    }

    /// <summary>tlb_end_vma() before b67fbebd4cf9, on x86: areas are merged, whatever they map.</summary>
    private sealed class GatherMergesVmas(KernelModel kernel) : MmuGather(kernel)
    {
        /// <inheritdoc/>
        public override async Proc TlbEndVma(TlbGather tlb)
        {
        }
    }
}
