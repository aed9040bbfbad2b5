using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B07: reclaim writes a page out while the flush of its dirty entry is still put off.</summary>
public sealed class TtuDirtyBeforeIo : Scenario
{
    /// <inheritdoc/>
    public override string Id => "ttu-dirty-before-io";

    /// <inheritdoc/>
    public override string Number => "B07";

    /// <inheritdoc/>
    public override string Title => "reclaim writes a page out before it flushes the dirty entry";

    /// <inheritdoc/>
    public override int Year => 2015;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["d950c9477d51", "72b252aed506"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["deferred-flush", "reclaim", "dirty", "rule"];

    /// <inheritdoc/>
    public override string Property => "P-write";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 reclaims, the others store to the pages"),
        new("pages", 1, 1, 4, "pages that are reclaimed"),
        new("file", 0, 0, 1, "whose pages: 0 anonymous memory, 1 a shared file"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Reclaim unmaps pages and puts their flushes off: one flush serves a whole batch
        (see ttu-batch-vs-mprotect). It must come before the pages are freed. That is not enough.

        If the entry was dirty, a TLB may hold it as dirty too, and stores through it need no page walk: they
        succeed as long as the entry is cached. Reclaim moves the dirty bit to the page, writes the page to
        swap, and counts it as clean. A store that arrives after the contents were read for the write is in
        the page, but not on disk; then the batch is flushed, and the page is freed with the store.

        A clean entry is harmless: before the first store through it the CPU walks the tables to set the dirty
        bit, finds the entry gone, and faults.

        So the batch remembers whether any of its entries was dirty, and try_to_unmap_flush_dirty() flushes it
        before a page of the batch is written. The bug here is reclaim without that call.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: stores to A; its TLB holds A -> F, writable and dirty.",
        "CPU0: reclaim: the entry is cleared; it was dirty, so F must be written; the flush is put off.",
        "CPU0: the contents of F go to swap; F counts as clean.",
        "CPU1: stores to A through its TLB.",
        "CPU0: flushes the batch and frees F: the store is nowhere.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "mm/rmap.c: try_to_unmap_flush_dirty, set_tlb_ubc_flush_pending; mm/vmscan.c: shrink_folio_list",
        "include/linux/mm_types_task.h: the comment on tlbflush_unmap_batch.writable",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { TlbBatch = kernel => new BatchWithoutDirty(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        bool isFile = setup["file"] == 1;

        // A page of a file is read in by every CPU that finds it missing at the same time; one of them wins.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, framesPerPage: isFile ? cpus : 2);
        KernelParts parts = PartsOf(setup);
        Stage stage = isFile
            ? Stage.WithMappedFile(options, pages, mmapWriters: false, FileAreaKind.Shared, parts)
            : Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddKernelThread(
            0, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), Stage.MappedFrames(pages), true));
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.StorePages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PWrite(kernel.PageCache), new PLife());
    }

    /// <summary>Reclaim that flushes only before it frees.</summary>
    private sealed class BatchWithoutDirty(KernelModel kernel) : TlbBatch(kernel)
    {
        /// <inheritdoc/>
        public override async Proc TryToUnmapFlushDirty(Cpu cpu)
        {
        }
    }
}
