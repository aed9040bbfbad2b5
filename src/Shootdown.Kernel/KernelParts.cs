namespace Shootdown.Kernel;

/// <summary>
/// Which class implements each mechanism. The defaults are the correct kernel; a scenario replaces the one that had
/// the bug: <c>new KernelParts { MmuGather = kernel => new GatherBefore2017(kernel) }</c>.
/// </summary>
public sealed record KernelParts
{
    /// <summary>Primitives on page-table entries.</summary>
    public Func<KernelModel, PteOps> PteOps { get; init; } = kernel => new PteOps(kernel);

    /// <summary>Finding, locking and making page tables.</summary>
    public Func<KernelModel, PageWalk> PageWalk { get; init; } = kernel => new PageWalk(kernel);

    /// <summary>The lock of an address space.</summary>
    public Func<KernelModel, MmapLock> MmapLock { get; init; } = kernel => new MmapLock(kernel);

    /// <summary>The way from a page to the tables that map it.</summary>
    public Func<KernelModel, Rmap> Rmap { get; init; } = kernel => new Rmap(kernel);

    /// <summary>Context switch.</summary>
    public Func<KernelModel, SwitchMm> SwitchMm { get; init; } = kernel => new SwitchMm(kernel);

    /// <summary>Lazy TLB mode.</summary>
    public Func<KernelModel, LazyTlb> LazyTlb { get; init; } = kernel => new LazyTlb(kernel);

    /// <summary>Flush requests and their handler.</summary>
    public Func<KernelModel, TlbFlush> TlbFlush { get; init; } = kernel => new TlbFlush(kernel);

    /// <summary>Batched flushing for unmapping by reclaim.</summary>
    public Func<KernelModel, TlbBatch> TlbBatch { get; init; } = kernel => new TlbBatch(kernel);

    /// <summary>Gathering of what a zap removes.</summary>
    public Func<KernelModel, MmuGather> MmuGather { get; init; } = kernel => new MmuGather(kernel);

    /// <summary>Freeing of page tables.</summary>
    public Func<KernelModel, PageTableFree> PageTableFree { get; init; } = kernel => new PageTableFree(kernel);

    /// <summary>Removal of whole page tables by khugepaged.</summary>
    public Func<KernelModel, PmdCollapse> PmdCollapse { get; init; } = kernel => new PmdCollapse(kernel);

    /// <summary>Removal of mappings.</summary>
    public Func<KernelModel, Zap> Zap { get; init; } = kernel => new Zap(kernel);

    /// <summary>The end of an address space.</summary>
    public Func<KernelModel, ExitMmap> ExitMmap { get; init; } = kernel => new ExitMmap(kernel);

    /// <summary>Changes of the kernel's own mapping; null if no program makes any.</summary>
    public Func<KernelModel, ChangePageAttr>? ChangePageAttr { get; init; }

    /// <summary>Page faults.</summary>
    public Func<KernelModel, PageFault> PageFault { get; init; } = kernel => new PageFault(kernel);

    /// <summary>What user threads do.</summary>
    public Func<KernelModel, UserAccess> UserAccess { get; init; } = kernel => new UserAccess(kernel);

    /// <summary><c>munmap</c>.</summary>
    public Func<KernelModel, Munmap> Munmap { get; init; } = kernel => new Munmap(kernel);

    /// <summary><c>madvise</c>.</summary>
    public Func<KernelModel, Madvise> Madvise { get; init; } = kernel => new Madvise(kernel);

    /// <summary><c>mprotect</c>.</summary>
    public Func<KernelModel, Mprotect> Mprotect { get; init; } = kernel => new Mprotect(kernel);

    /// <summary>Page reclaim.</summary>
    public Func<KernelModel, Reclaim> Reclaim { get; init; } = kernel => new Reclaim(kernel);
}

/// <summary>Build-time choices of a kernel: what a configuration option or a tunable decides.</summary>
public sealed record KernelOptions
{
    /// <summary>
    /// Strides above which a range flush becomes a full one (<c>tlb_single_page_flush_ceiling</c>).
    /// </summary>
    public int FlushCeiling { get; init; } = 33;

    /// <summary>
    /// Frames that a gather queues before it must flush; the kernel's first batch holds 8, then pages full of
    /// pointers.
    /// </summary>
    public int GatherFrames { get; init; } = 64;

    /// <summary>
    /// True for <c>CONFIG_MMU_GATHER_RCU_TABLE_FREE</c>: page tables are freed after a grace period, not after IPIs.
    /// </summary>
    public bool RcuTableFree { get; init; }

    /// <summary>
    /// With <see cref="RcuTableFree"/>: true if allocating the batch for tables may fail at any time.
    /// </summary>
    public bool TableBatchMayFail { get; init; }

    /// <summary>
    /// Bits of each of the two counters of <c>mm->tlb_flush_batched</c>, 2 to 15; fewer than the kernel's 15 let a
    /// model reach the point where they start again.
    /// </summary>
    public int BatchCounterBits { get; init; } = TlbBatch.KernelCounterBits;

    /// <summary>
    /// True if the data of pages that reclaim wrote out comes back when they are faulted in again. Needed only where
    /// a program looks at what it loads; otherwise frames come back empty, which keeps the state space small.
    /// </summary>
    public bool SwapData { get; init; }
}
