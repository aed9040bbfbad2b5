using Shootdown.Check;
using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>B51: B06 again: the page no longer counts as mapped before the flush, so page_mkclean does not wait.</summary>
public sealed class ZapRmapBeforeFlush : Scenario
{
    /// <inheritdoc/>
    public override string Id => "zap-rmap-before-flush";

    /// <inheritdoc/>
    public override string Number => "B51";

    /// <inheritdoc/>
    public override string Title => "the map count drops before the flush, so writeback does not wait for the lock";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["5df397dec7c4"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["gather", "munmap", "writeback", "dirty", "rmap"];

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
        Since 2014 zap_pte_range() flushes before it drops the page-table lock if it unmapped a dirty page of a
        file (see zap-dirty-vs-mkclean). page_mkclean() takes the same lock to look at the entry, so it cannot
        get in between.

        Unless it never takes the lock. Its first test is folio_mapped(): a page that nothing maps needs no
        cleaning, and reading the map count needs no lock. zap_pte_range() lowers the count right after it
        has cleared the entry, still before the flush. In that window writeback finds a page that is not
        mapped, marks it clean and starts IO, while another CPU stores through its dirty TLB entry. The
        store is in a clean page and will be lost.

        The fix, in 6.2, leaves the page mapped until the flush is done: the gather remembers which of its
        pages still have to be taken out of the rmap, and tlb_flush_rmaps() does that behind the flush, with
        the lock still held. 6.1 never got it.

        The bug here is the kernel with the fix of 2014 alone: a flush before the unlock is not enough if
        the reader has a shortcut around the lock.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: stores to A, page F of a shared file; its TLB holds A -> F, writable and dirty.",
        "CPU0: munmap: under the page-table lock the entry is cleared, F is marked dirty, its map count drops to 0.",
        "CPU1: writeback: folio_mkclean: F is not mapped: returns without the lock; F is marked clean and written.",
        "CPU2: stores to A through its TLB: F changes and stays clean.",
        "CPU0: flushes; unlocks.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 5df397dec7c4, \"mm: delay page_remove_rmap() until after the TLB has been flushed\"",
        "mm/memory.c: zap_present_folio_ptes; mm/mmu_gather.c: tlb_flush_rmaps; mm/rmap.c: folio_mkclean",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { Zap = kernel => new ZapBefore62(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return ZapDirtyVsMkclean.Build(setup, PartsOf(setup));
    }

    /// <summary>zap_pte_range() before 5df397dec7c4: flushes under the lock, but removes the rmap before.</summary>
    private sealed class ZapBefore62(KernelModel kernel) : Zap(kernel)
    {
        /// <inheritdoc/>
        protected override bool DelaysRmap => false;
    }
}
