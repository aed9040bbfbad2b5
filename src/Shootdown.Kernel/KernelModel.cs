using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// A kernel on a machine: its address spaces, its per-CPU state and one object a mechanism. Mechanisms call each
/// other through it, so that a replaced one (see <see cref="KernelParts"/>) takes effect everywhere.
/// </summary>
public sealed partial class KernelModel : MachineHandle
{
    /// <summary>Value of <c>loaded_mm</c> for <c>init_mm</c>: kernel page tables only.</summary>
    public const ulong InitMm = 0;

    /// <summary>
    /// Value of <c>loaded_mm</c> while CR3 and the per-CPU state disagree (<c>LOADED_MM_SWITCHING</c>).
    /// </summary>
    public const ulong LoadedMmSwitching = 1;

    private readonly List<Mm> _mms = [];
    private readonly List<FileMapping> _files = [];
    private Srcu? _notifierSrcu;

    /// <summary>Makes a kernel; address spaces and the CPUs' first states are added next.</summary>
    public KernelModel(MachineModel machine, KernelOptions? options = null, KernelParts? parts = null)
        : base(machine)
    {
        Options = options ?? new KernelOptions();
        CheckOptions(machine);
        parts ??= new KernelParts();
        TlbStates = [.. machine.Cpus.Select(cpu => new CpuTlbState(cpu, NameOfMm))];
        UnmapBatches = [.. machine.Cpus.Select(cpu => new UnmapBatch(cpu))];
        Gathers = [.. machine.Cpus.Select(cpu => new GatherWords(cpu))];
        bool locks = Options.Files || Options.AnonFolios;
        Folios = machine.Timed is null ? [.. machine.Paging.Frames.Select(frame => new Folio(frame, locks, Options.HugeFiles))] : new TimedFolios(machine, locks);
        PteOps = parts.PteOps(this);
        PageWalk = parts.PageWalk(this);
        MmapLock = parts.MmapLock(this);
        MmuNotifier = parts.MmuNotifier(this);
        MmuNotifierList = parts.MmuNotifierList(this);
        MmuInterval = parts.MmuInterval(this);
        Rmap = parts.Rmap(this);
        Filemap = parts.Filemap(this);
        SwitchMm = parts.SwitchMm(this);
        LazyTlb = parts.LazyTlb(this);
        TlbFlush = parts.TlbFlush(this);
        TlbBatch = parts.TlbBatch(this);
        MmuGather = parts.MmuGather(this);
        PageTableFree = parts.PageTableFree(this);
        PmdCollapse = parts.PmdCollapse(this);
        FolioKinds = parts.FolioKinds(this);
        LruLists = parts.LruLists(this);
        Zap = parts.Zap(this);
        PtReclaim = parts.PtReclaim(this);
        HugeMemory = parts.HugeMemory(this);
        ExitMmap = parts.ExitMmap(this);
        OomKill = parts.OomKill(this);
        ChangePageAttr = parts.ChangePageAttr?.Invoke(this);
        PageFault = parts.PageFault(this);
        FileFault = parts.FileFault(this);
        UserAccess = parts.UserAccess(this);
        Munmap = parts.Munmap(this);
        Madvise = parts.Madvise(this);
        Mprotect = parts.Mprotect(this);
        Writeback = parts.Writeback(this);
        Truncate = parts.Truncate(this);
        Reclaim = parts.Reclaim(this);
        Mremap = parts.Mremap(this);
        Exec = parts.Exec(this);
        ClearRefs = parts.ClearRefs(this);
        Userfaultfd = parts.Userfaultfd(this);
        NumaHinting = parts.NumaHinting(this);
        CopyOnWrite = parts.CopyOnWrite(this);
        Migrate = parts.Migrate(this);
        MovePages = parts.MovePages(this);
        MigrateDevice = parts.MigrateDevice(this);
        Fork = parts.Fork(this);
        AnonExclusive = parts.AnonExclusive(this);
        Gup = parts.Gup(this);
        GupSlow = parts.GupSlow(this);
        Khugepaged = parts.Khugepaged(this);
        KhugepagedFile = parts.KhugepagedFile(this);
        CompoundFolios = parts.CompoundFolios(this);
        Ksm = parts.Ksm(this);
        Hugetlb = parts.Hugetlb(this);
    }

    private void CheckOptions(MachineModel machine)
    {
        if (Options.Thp && machine.Options.Levels < 2)
        {
            throw new ArgumentException("KernelOptions.Thp needs a machine with two levels of page tables: MachineOptions.Levels");
        }

        if (Options.HugeFiles && (!Options.Thp || !Options.Files || machine.Timed is not null))
        {
            throw new ArgumentException("KernelOptions.HugeFiles needs KernelOptions.Thp and KernelOptions.Files, and a checked machine");
        }

        if (Options.MremapTables && machine.Timed is null && !machine.Options.MovableTables)
        {
            throw new ArgumentException("KernelOptions.MremapTables needs a machine whose tables can move: MachineOptions.MovableTables");
        }
    }

    /// <summary>Build-time choices.</summary>
    public KernelOptions Options { get; }

    /// <summary>User address spaces, by index.</summary>
    public IReadOnlyList<Mm> Mms => _mms;

    /// <summary>Files, by index.</summary>
    public IReadOnlyList<FileMapping> Files => _files;

    /// <summary>The words of all page caches.</summary>
    public IReadOnlyList<Word> PageCache => [.. _files.SelectMany(file => file.Pages)];

    /// <summary>What the kernel knows about every frame.</summary>
    public IReadOnlyList<Folio> Folios { get; }

    /// <summary>Per-CPU TLB state (<c>cpu_tlbstate</c>), by CPU.</summary>
    public IReadOnlyList<CpuTlbState> TlbStates { get; }

    /// <summary>The running tasks' unmap batches (<c>current->tlb_ubc</c>), by CPU.</summary>
    public IReadOnlyList<UnmapBatch> UnmapBatches { get; }

    /// <summary>The running tasks' gathers (<c>struct mmu_gather</c> on the stack), by CPU.</summary>
    public IReadOnlyList<GatherWords> Gathers { get; }

    /// <summary>Primitives on page-table entries.</summary>
    public PteOps PteOps { get; }

    /// <summary>Finding, locking and making page tables.</summary>
    public PageWalk PageWalk { get; }

    /// <summary>The lock of an address space and what it protects.</summary>
    public MmapLock MmapLock { get; }

    /// <summary>Calls of the notifiers of secondary MMUs.</summary>
    public MmuNotifier MmuNotifier { get; }

    /// <summary>Registration of notifiers.</summary>
    public MmuNotifierList MmuNotifierList { get; }

    /// <summary>Interval notifiers.</summary>
    public MmuInterval MmuInterval { get; }

    /// <summary>True if programs register notifiers or take them off.</summary>
    public bool RegistersNotifiers { get; private set; }

    /// <summary>The way from a page to the tables that map it.</summary>
    public Rmap Rmap { get; }

    /// <summary>The page cache.</summary>
    public Filemap Filemap { get; }

    /// <summary>Context switch.</summary>
    public SwitchMm SwitchMm { get; }

    /// <summary>Lazy TLB mode.</summary>
    public LazyTlb LazyTlb { get; }

    /// <summary>Flush requests and their handler.</summary>
    public TlbFlush TlbFlush { get; }

    /// <summary>Batched flushing for unmapping by reclaim.</summary>
    public TlbBatch TlbBatch { get; }

    /// <summary>Gathering of what a zap removes, until one flush.</summary>
    public MmuGather MmuGather { get; }

    /// <summary>Freeing of page tables.</summary>
    public PageTableFree PageTableFree { get; }

    /// <summary>Removal of whole page tables by khugepaged.</summary>
    public PmdCollapse PmdCollapse { get; }

    /// <summary>Removal of mappings.</summary>
    public Zap Zap { get; }

    /// <summary>Freeing of empty page tables.</summary>
    public PtReclaim PtReclaim { get; }

    /// <summary>Huge pages.</summary>
    public HugeMemory HugeMemory { get; }

    /// <summary>The end of an address space.</summary>
    public ExitMmap ExitMmap { get; }

    /// <summary>The OOM reaper.</summary>
    public OomKill OomKill { get; }

    /// <summary>Changes of the kernel's own mapping; null if no program makes any.</summary>
    public ChangePageAttr? ChangePageAttr { get; }

    /// <summary>Page faults.</summary>
    public PageFault PageFault { get; }

    /// <summary>Page faults on files.</summary>
    public FileFault FileFault { get; }

    /// <summary>What user threads do.</summary>
    public UserAccess UserAccess { get; }

    /// <summary><c>munmap</c>.</summary>
    public Munmap Munmap { get; }

    /// <summary><c>madvise</c>.</summary>
    public Madvise Madvise { get; }

    /// <summary><c>mprotect</c>.</summary>
    public Mprotect Mprotect { get; }

    /// <summary>Writeback of files.</summary>
    public Writeback Writeback { get; }

    /// <summary>Truncation of files, and what drivers do likewise.</summary>
    public Truncate Truncate { get; }

    /// <summary>Page reclaim.</summary>
    public Reclaim Reclaim { get; }

    /// <summary><c>mremap</c>.</summary>
    public Mremap Mremap { get; }

    /// <summary><c>execve</c>.</summary>
    public Exec Exec { get; }

    /// <summary>Soft-dirty tracking.</summary>
    public ClearRefs ClearRefs { get; }

    /// <summary>Write protection by userfaultfd.</summary>
    public Userfaultfd Userfaultfd { get; }

    /// <summary>NUMA hinting.</summary>
    public NumaHinting NumaHinting { get; }

    /// <summary>Copy-on-write.</summary>
    public CopyOnWrite CopyOnWrite { get; }

    /// <summary>Migration of pages.</summary>
    public Migrate Migrate { get; }

    /// <summary>LRU lists.</summary>
    public LruLists LruLists { get; }

    /// <summary>What kind of memory an entry maps.</summary>
    public FolioKinds FolioKinds { get; }

    /// <summary>move_pages.</summary>
    public MovePages MovePages { get; }

    /// <summary>Migration to the memory of devices.</summary>
    public MigrateDevice MigrateDevice { get; }

    /// <summary><c>fork</c>.</summary>
    public Fork Fork { get; }

    /// <summary>The exclusive mark of anonymous pages, and pins.</summary>
    public AnonExclusive AnonExclusive { get; }

    /// <summary>Lockless lookup of pages.</summary>
    public Gup Gup { get; }

    /// <summary>Lookup of pages with locks and faults.</summary>
    public GupSlow GupSlow { get; }

    /// <summary>Collapse of small pages into a huge one.</summary>
    public Khugepaged Khugepaged { get; }

    /// <summary>Collapse of a file's small pages into a huge folio.</summary>
    public KhugepagedFile KhugepagedFile { get; }

    /// <summary>Huge folios of the page cache.</summary>
    public CompoundFolios CompoundFolios { get; }

    /// <summary>hugetlbfs.</summary>
    public Hugetlb Hugetlb { get; }

    /// <summary>Merging of equal pages.</summary>
    public Ksm Ksm { get; }

    /// <summary>True if the CPUs tell address spaces apart by PCID and keep entries across switches.</summary>
    public bool HasPcid => Machine.Options.Asids > 1;

    /// <summary>First frame of the huge zero page: its references count for all of it. -1 if there is none.</summary>
    public int HugeZeroFrame => Options.HugeZeroPage ? 0 : -1;

    /// <summary>The frame of the shared zero page; -1 if there is none.</summary>
    public int ZeroFrame { get; private set; } = -1;

    /// <summary>True for the shared zero page, which has no counts (<c>is_zero_pfn</c>).</summary>
    public bool IsZeroFrame(int frame) => Options.ZeroPage && frame == ZeroFrame;

    /// <summary>Says which frame is the shared zero page, before anything runs.</summary>
    public void BuildZeroPage(int frame)
    {
        ZeroFrame = frame;
        AddInitial(Folios[frame].Frame.RefCount, 1);
    }

    /// <summary>An empty set of frames, to be added to.</summary>
    public FrameSet NewFrameSet() => Machine.Timed is null ? default : new FrameSet(0, new FrameList());

    /// <summary>Makes a user address space.</summary>
    /// <param name="name">Name for reports.</param>
    /// <param name="pages">Number of pages, from page 0, that one readable and writable area covers at first.</param>
    /// <param name="mmapWriters">
    /// False if no program takes the address space's mmap_lock for writing: taking it for reading is then no step.
    /// </param>
    public Mm NewMm(string name, int pages, bool mmapWriters = true)
    {
        var mm = new Mm(this, _mms.Count, name, pages, mmapWriters);
        _mms.Add(mm);
        return mm;
    }

    /// <summary>Makes a file whose pages are not in memory.</summary>
    /// <param name="name">Name for reports.</param>
    /// <param name="pages">Pages of the file.</param>
    /// <param name="truncated">False if no program changes its size: reading the size is then no step.</param>
    public FileMapping NewFile(string name, int pages, bool truncated = false)
    {
        if (!Options.Files)
        {
            throw new ArgumentException("a file needs KernelOptions.Files", nameof(name));
        }

        var file = new FileMapping(this, _files.Count, name, pages, truncated);
        _files.Add(file);
        return file;
    }

    /// <summary>True if the kernel counts the mappings of what is mapped at a page.</summary>
    public bool CountsMappings(Mm mm, int page)
    {
        ArgumentNullException.ThrowIfNull(mm);
        return mm.FileAreaOf(page) is { } area ? area.Kind != FileAreaKind.PfnMap : Options.AnonFolios;
    }

    private string NameOfMm(ulong loadedMm) => loadedMm switch
    {
        InitMm => "init_mm",
        LoadedMmSwitching => "LOADED_MM_SWITCHING",
        _ => _mms.FirstOrDefault(mm => mm.LoadedValue == loadedMm)?.Name ?? ValueText.Number(loadedMm),
    };
}

/// <summary>
/// One mechanism of the kernel: kernel functions that belong together. A historical bug derives from it and overrides
/// the function that was wrong.
/// </summary>
public abstract class Mechanism(KernelModel kernel) : MachineHandle(kernel.Machine)
{
    /// <summary>The kernel that it is part of: the way to all other mechanisms.</summary>
    protected KernelModel Kernel { get; } = kernel;
}
