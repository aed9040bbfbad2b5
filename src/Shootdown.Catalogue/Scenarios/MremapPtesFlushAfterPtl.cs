using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B08: a page that mremap moved is freed through its new address while its old one is still cached.</summary>
public sealed class MremapPtesFlushAfterPtl : Scenario
{
    /// <inheritdoc/>
    public override string Id => "mremap-ptes-flush-after-ptl";

    /// <inheritdoc/>
    public override string Number => "B08";

    /// <inheritdoc/>
    public override string Title => "mremap drops the page-table locks before it flushes the old address";

    /// <inheritdoc/>
    public override int Year => 2018;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["eb66ae030829", "CVE-2018-18281"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["deferred-flush", "mremap", "reclaim"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 5, "CPU0 calls mremap, CPU1 reclaims at the new place, the others load at the old one"),
        new("pages", 1, 1, 4, "pages that are moved"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        mremap() moves pages to another address: move_ptes() takes the locks of both page tables, clears each
        entry at the old address and sets it at the new one. TLBs still hold the old address. mremap() holds
        mmap_lock for writing, so neither munmap() nor a page fault can come in between, and one flush at the
        end of move_page_tables() looks like enough.

        But not everybody who unmaps a page takes mmap_lock. Reclaim, or ftruncate() if it is a file's page,
        comes from the page: the rmap leads it to the new entry, and the page table's lock is all it takes. It
        clears that entry, flushes the new address (the only one it knows), and frees the page. Threads on
        other CPUs still read and write it through the old address, and by then it may hold somebody else's
        data.

        The fix flushes the old range in move_ptes(), before the locks are dropped, if any entry was present:
        who finds the new entry does so behind that flush. Before, this was done for dirty entries only, to
        keep their dirty bits right.

        The bug here is move_ptes() that flushes under the locks for dirty entries only; clean ones are
        flushed by move_page_tables().
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: loads from the old address; its TLB holds old -> F.",
        "CPU0: mremap: with both locks, the old entry is cleared and the new one set; the locks are dropped.",
        "CPU1: reclaim (or ftruncate): clears the new entry, flushes the new address, frees F.",
        "CPU2: loads from the old address through its TLB: F is free.",
        "CPU0: flushes the old range.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit eb66ae030829, \"mremap: properly flush TLB before releasing the page\"",
        "mm/mremap.c: move_page_tables, move_ptes",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { Mremap = kernel => new MremapBefore2018(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];

        // The new range lies behind the old one. Frames move, so any page may use any of them. A page that was
        // reclaimed before it moved is faulted in again while its old frame waits to be freed.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with
        {
            EntriesPerTable = 2 * pages,
            FrameColours = 1,
        };
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedPages(
            options, pages, mmapWriters: true, dirty: false, parts, new KernelOptions { AnonMoves = true });
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "mremap()");
        stage.AddThread(0, "mremap", () => kernel.Mremap.MoveVma(stage.Cpu(0), mm, promise, pages));
        ulong folios = Stage.MappedFrames(pages);
        stage.AddKernelThread(1, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(1), folios, false));
        for (int index = 2; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    /// <summary>mremap before eb66ae030829: clean entries are flushed at the end, without the tables' locks.</summary>
    private sealed class MremapBefore2018(KernelModel kernel) : Mremap(kernel)
    {
        /// <inheritdoc/>
        public override async Proc MovePageTables(Cpu cpu, Mm mm, int oldFirst, int newFirst, int count)
        {
            await base.MovePageTables(cpu, mm, oldFirst, newFirst, count);
            await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(oldFirst, count));
        }

        /// <inheritdoc/>
        protected override bool NeedsFlushUnderLocks(Pte old) => old.Present && old.Dirty;
    }
}
