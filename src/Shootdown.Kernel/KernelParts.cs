using Shootdown.Machine;

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

    /// <summary>Calls of the notifiers of secondary MMUs.</summary>
    public Func<KernelModel, MmuNotifier> MmuNotifier { get; init; } = kernel => new MmuNotifier(kernel);

    /// <summary>Registration of notifiers.</summary>
    public Func<KernelModel, MmuNotifierList> MmuNotifierList { get; init; } = kernel => new MmuNotifierList(kernel);

    /// <summary>Interval notifiers.</summary>
    public Func<KernelModel, MmuInterval> MmuInterval { get; init; } = kernel => new MmuInterval(kernel);

    /// <summary>The way from a page to the tables that map it.</summary>
    public Func<KernelModel, Rmap> Rmap { get; init; } = kernel => new Rmap(kernel);

    /// <summary>The page cache.</summary>
    public Func<KernelModel, Filemap> Filemap { get; init; } = kernel => new Filemap(kernel);

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

    /// <summary>Freeing of empty page tables.</summary>
    public Func<KernelModel, PtReclaim> PtReclaim { get; init; } = kernel => new PtReclaim(kernel);

    /// <summary>Huge pages.</summary>
    public Func<KernelModel, HugeMemory> HugeMemory { get; init; } = kernel => new HugeMemory(kernel);

    /// <summary>The end of an address space.</summary>
    public Func<KernelModel, ExitMmap> ExitMmap { get; init; } = kernel => new ExitMmap(kernel);

    /// <summary>The OOM reaper.</summary>
    public Func<KernelModel, OomKill> OomKill { get; init; } = kernel => new OomKill(kernel);

    /// <summary>Changes of the kernel's own mapping; null if no program makes any.</summary>
    public Func<KernelModel, ChangePageAttr>? ChangePageAttr { get; init; }

    /// <summary>Page faults.</summary>
    public Func<KernelModel, PageFault> PageFault { get; init; } = kernel => new PageFault(kernel);

    /// <summary>Page faults on files.</summary>
    public Func<KernelModel, FileFault> FileFault { get; init; } = kernel => new FileFault(kernel);

    /// <summary>What user threads do.</summary>
    public Func<KernelModel, UserAccess> UserAccess { get; init; } = kernel => new UserAccess(kernel);

    /// <summary><c>munmap</c>.</summary>
    public Func<KernelModel, Munmap> Munmap { get; init; } = kernel => new Munmap(kernel);

    /// <summary>LRU lists.</summary>
    public Func<KernelModel, LruLists> LruLists { get; init; } = kernel => new LruLists(kernel);

    /// <summary>What kind of memory an entry maps.</summary>
    public Func<KernelModel, FolioKinds> FolioKinds { get; init; } = kernel => new FolioKinds(kernel);

    /// <summary><c>madvise</c>.</summary>
    public Func<KernelModel, Madvise> Madvise { get; init; } = kernel => new Madvise(kernel);

    /// <summary><c>mprotect</c>.</summary>
    public Func<KernelModel, Mprotect> Mprotect { get; init; } = kernel => new Mprotect(kernel);

    /// <summary>Writeback of files.</summary>
    public Func<KernelModel, Writeback> Writeback { get; init; } = kernel => new Writeback(kernel);

    /// <summary>Truncation of files.</summary>
    public Func<KernelModel, Truncate> Truncate { get; init; } = kernel => new Truncate(kernel);

    /// <summary>Page reclaim.</summary>
    public Func<KernelModel, Reclaim> Reclaim { get; init; } = kernel => new Reclaim(kernel);

    /// <summary><c>mremap</c>.</summary>
    public Func<KernelModel, Mremap> Mremap { get; init; } = kernel => new Mremap(kernel);

    /// <summary><c>execve</c>.</summary>
    public Func<KernelModel, Exec> Exec { get; init; } = kernel => new Exec(kernel);

    /// <summary>Soft-dirty tracking.</summary>
    public Func<KernelModel, ClearRefs> ClearRefs { get; init; } = kernel => new ClearRefs(kernel);

    /// <summary>Write protection by userfaultfd.</summary>
    public Func<KernelModel, Userfaultfd> Userfaultfd { get; init; } = kernel => new Userfaultfd(kernel);

    /// <summary>NUMA hinting.</summary>
    public Func<KernelModel, NumaHinting> NumaHinting { get; init; } = kernel => new NumaHinting(kernel);

    /// <summary>Copy-on-write.</summary>
    public Func<KernelModel, CopyOnWrite> CopyOnWrite { get; init; } = kernel => new CopyOnWrite(kernel);

    /// <summary>Migration of pages.</summary>
    public Func<KernelModel, Migrate> Migrate { get; init; } = kernel => new Migrate(kernel);

    /// <summary>move_pages.</summary>
    public Func<KernelModel, MovePages> MovePages { get; init; } = kernel => new MovePages(kernel);

    /// <summary>Migration to the memory of devices.</summary>
    public Func<KernelModel, MigrateDevice> MigrateDevice { get; init; } = kernel => new MigrateDevice(kernel);

    /// <summary><c>fork</c>.</summary>
    public Func<KernelModel, Fork> Fork { get; init; } = kernel => new Fork(kernel);

    /// <summary>The exclusive mark of anonymous pages, and pins.</summary>
    public Func<KernelModel, AnonExclusive> AnonExclusive { get; init; } = kernel => new AnonExclusive(kernel);

    /// <summary>Lockless lookup of pages.</summary>
    public Func<KernelModel, Gup> Gup { get; init; } = kernel => new Gup(kernel);

    /// <summary>Lookup of pages with locks and faults.</summary>
    public Func<KernelModel, GupSlow> GupSlow { get; init; } = kernel => new GupSlow(kernel);

    /// <summary>Collapse of small pages into a huge one.</summary>
    public Func<KernelModel, Khugepaged> Khugepaged { get; init; } = kernel => new Khugepaged(kernel);

    /// <summary>Collapse of a file's small pages into a huge folio.</summary>
    public Func<KernelModel, KhugepagedFile> KhugepagedFile { get; init; } = kernel => new KhugepagedFile(kernel);

    /// <summary>Huge folios of the page cache.</summary>
    public Func<KernelModel, CompoundFolios> CompoundFolios { get; init; } = kernel => new CompoundFolios(kernel);

    /// <summary>hugetlbfs.</summary>
    public Func<KernelModel, Hugetlb> Hugetlb { get; init; } = kernel => new Hugetlb(kernel);

    /// <summary>Merging of equal pages.</summary>
    public Func<KernelModel, Ksm> Ksm { get; init; } = kernel => new Ksm(kernel);

    /// <summary>KVM, where the matrix has a guest.</summary>
    public Func<KernelModel, Mm, NotifierRegistration, Kvm> Kvm { get; init; }
        = (kernel, mm, registration) => new Kvm(kernel, mm, 1, registration, registration != NotifierRegistration.Always);

    /// <summary>The driver of a device that mirrors the process's page tables (HMM), where the matrix has one.</summary>
    public Func<KernelModel, Mm, NotifierRegistration, SecondaryDriver> MirrorDriver { get; init; }
        = (kernel, mm, registration) => new IntervalDriver(kernel, mm, PageRange.All, registration);

    /// <summary>
    /// The driver of the IOMMU, where the matrix has a device; with <see cref="NotifierRegistration.Unregistered"/> a program binds it and turns
    /// ATS on.
    /// </summary>
    public Func<KernelModel, Mm, Device, NotifierRegistration, IommuSva> IommuSva { get; init; } = (kernel, mm, device, registration) => new IommuSva(
        kernel, mm, device, ats: false, registration != NotifierRegistration.Unregistered, registration == NotifierRegistration.Unregistered, registration);
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
    /// Folios that reclaim frees at a time (<c>PAGEVEC_SIZE</c>: 31 since 6.10): each batch has a flush of its own. 6.1 frees all
    /// that it looked at together.
    /// </summary>
    public int FreeBatch { get; init; } = 31;

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
    /// True for <c>CONFIG_PT_RECLAIM</c> (since 6.14): MADV_DONTNEED frees page tables that it leaves empty. Needs <see
    /// cref="RcuTableFree"/>.
    /// </summary>
    public bool PtReclaim { get; init; }

    /// <summary>
    /// True for <c>CONFIG_TRANSPARENT_HUGEPAGE</c>: entries above the leaf tables may map huge pages. Needs more than one
    /// level of tables: with one, a leaf entry would be taken for one above it.
    /// </summary>
    public bool Thp { get; init; }

    /// <summary>
    /// With <see cref="Thp"/> and <see cref="AnonFolios"/>: true if small pages may be collapsed into huge ones: every huge page
    /// then has a table put aside (<c>pgtable_trans_huge_deposit</c>).
    /// </summary>
    public bool HugeCollapse { get; init; }

    /// <summary>With <see cref="Thp"/>: true if frame 0 and those that follow are the huge zero page.</summary>
    public bool HugeZeroPage { get; init; }

    /// <summary>
    /// With <see cref="Thp"/> and <see cref="Files"/>: true if the page cache may hold huge folios, and one entry may map all of one. Not on
    /// machines of real size.
    /// </summary>
    public bool HugeFiles { get; init; }

    /// <summary>What kind of lock a file's areas are walked under.</summary>
    public RmapLockKind IMmapLock { get; init; }

    /// <summary>What kind of lock anonymous memory is walked under.</summary>
    public RmapLockKind AnonVmaLock { get; init; }

    /// <summary>True if there are files: folios have locks then.</summary>
    public bool Files { get; init; }

    /// <summary>
    /// True if anonymous pages may have more than one user (fork, copy-on-write, migration): their folio locks, map
    /// counts and exclusive marks are kept then. Without it an anonymous page belongs to the one entry that maps it,
    /// and none of these is a step. Reference counts are always kept.
    /// </summary>
    public bool AnonFolios { get; init; }

    /// <summary>
    /// True if anonymous pages may be mapped at pages where they were not faulted in (mremap): walks from a page to its
    /// entries then look at all pages, not only at those that its frame's colour allows.
    /// </summary>
    public bool AnonMoves { get; init; }

    /// <summary>
    /// True if the data of pages that reclaim or writeback wrote out comes back when they are faulted in again. Needed
    /// only where a program looks at what it loads; otherwise frames come back empty, which keeps the state space
    /// small. A swapped page must have had one mapping.
    /// </summary>
    public bool SwapData { get; init; }

    /// <summary>
    /// True for <c>CONFIG_MEM_SOFT_DIRTY</c>: whatever makes an entry dirty in software also marks it soft-dirty.
    /// </summary>
    public bool SoftDirty { get; init; }

    /// <summary>
    /// True if MADV_FREE is used: reclaim throws pages away that were not written since. Needs <see cref="AnonFolios"/>.
    /// </summary>
    public bool Lazyfree { get; init; }

    /// <summary>True if areas are registered with userfaultfd for write protection.</summary>
    public bool UserfaultWp { get; init; }

    /// <summary>
    /// True if pages are pinned (FOLL_PIN): whoever shares, moves or copies an anonymous page then looks for pins. Needs <see
    /// cref="AnonFolios"/>.
    /// </summary>
    public bool Pins { get; init; }

    /// <summary>
    /// With <see cref="Pins"/>: true if an address space is forked while pages of it are pinned: <c>mm->write_protect_seq</c> is kept then.
    /// </summary>
    public bool WriteProtectSeq { get; init; }

    /// <summary>
    /// True if a read fault on anonymous memory maps the shared zero page (<c>my_zero_pfn</c>); else it gets a page of its
    /// own, which saves small models a frame.
    /// </summary>
    public bool ZeroPage { get; init; }

    /// <summary>
    /// True if mprotect makes entries writable where no fault is needed to know that (<c>MM_CP_TRY_CHANGE_WRITABLE</c>, since
    /// 6.1); else it leaves that to the write fault.
    /// </summary>
    public bool TryChangeWritable { get; init; }

    /// <summary>
    /// True if mremap moves whole tables (<c>CONFIG_HAVE_MOVE_PMD</c>) and frees those that it leaves empty; without it
    /// they stay, for small models. A checked machine needs <c>MachineOptions.MovableTables</c> for it.
    /// </summary>
    public bool MremapTables { get; init; }

    /// <summary>True if every page is on the wrong NUMA node: a hinting fault then moves it.</summary>
    public bool MisplacedPages { get; init; }

    /// <summary>With <see cref="MisplacedPages"/>: true if a page may be on the right node too: both happen at every hinting fault.</summary>
    public bool MixedNodes { get; init; }
}
