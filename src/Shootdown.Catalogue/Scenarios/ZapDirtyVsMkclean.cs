using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B06: writeback cleans a page of a file while a TLB still lets stores through to it.</summary>
public sealed class ZapDirtyVsMkclean : Scenario
{
    /// <inheritdoc/>
    public override string Id => "zap-dirty-vs-mkclean";

    /// <inheritdoc/>
    public override string Number => "B06";

    /// <inheritdoc/>
    public override string Title => "a dirty file page is unmapped without a flush, and writeback cleans it";

    /// <inheritdoc/>
    public override int Year => 2014;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["1cf35d47712d"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["deferred-flush", "gather", "munmap", "writeback", "dirty"];

    /// <inheritdoc/>
    public override string Property => "P-write";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 5, "CPU0 unmaps, CPU1 writes the file back, the others store to it"),
        new("pages", 1, 1, 4, "pages of the file"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A process maps a file, shared, and stores to it. Hardware notes that in the dirty bit of the page-table
        entry, but only with the first store: as long as the TLB holds a dirty, writable entry, later stores
        touch no page table at all.

        Writeback therefore cleans a page in two steps. page_mkclean() finds all entries that map it, makes
        each clean and read-only, and flushes it; then the page's own dirty flag is cleared and its contents
        go to disk. A store that comes later faults, and the fault marks the page dirty again.

        munmap() breaks this. zap_pte_range() clears the entry, moves its dirty bit to the page, and drops the
        page-table lock; the flush comes later, for all pages at once. In between page_mkclean() finds no
        entry, so it flushes nothing, and the page counts as clean. Another thread of the process still
        stores through its dirty TLB entry. The data is in the page, but nobody knows: it is never written,
        and is gone when the page is reclaimed.

        The fix flushes before the lock is dropped if a dirty page of a file was unmapped. To be able to,
        tlb_flush_mmu() was split into a part that flushes and a part that frees.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: stores to A, page F of a shared file; its TLB holds A -> F, writable and dirty.",
        "CPU0: munmap: under the page-table lock the entry is cleared; it was dirty, so F is marked dirty; unlock.",
        "CPU1: writeback: page_mkclean finds no entry; F is marked clean; its contents are written.",
        "CPU2: stores to A through its TLB: F changes and stays clean.",
        "CPU0: flushes.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 1cf35d47712d, \"mm: split 'tlb_flush_mmu()' into tlb flushing and memory freeing parts\"",
        "mm/memory.c: zap_pte_range (force_flush); mm/rmap.c: page_mkclean; mm/page-writeback.c",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { Zap = kernel => new ZapBefore2014(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return Build(setup, PartsOf(setup));
    }

    /// <summary>The programs of this race and of the one that was found in its fix.</summary>
    internal static CheckModel Build(ScenarioSetup setup, KernelParts parts)
    {
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, framesPerPage: 1);
        Stage stage = Stage.WithMappedFile(options, pages, mmapWriters: true, FileAreaKind.Shared, parts);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => kernel.Munmap.DoMunmap(stage.Cpu(0), mm, promise));
        stage.AddKernelThread(
            1, "writeback", () => kernel.Writeback.WriteCachePages(stage.Cpu(1), kernel.Files[0], 0, pages));
        for (int index = 2; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.StorePages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PWrite(kernel.PageCache), new PRet(), new PLife());
    }

    /// <summary>zap_pte_range() before 1cf35d47712d: all flushes come at the end.</summary>
    private sealed class ZapBefore2014(KernelModel kernel) : Zap(kernel)
    {
        /// <inheritdoc/>
        protected override bool ForcesFlushForDirty => false;

        /// <inheritdoc/>
        protected override bool DelaysRmap => false;
    }
}
