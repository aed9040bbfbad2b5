using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// A user address space (<c>struct mm_struct</c>): the words of it that translation coherence depends on.
/// </summary>
public sealed class Mm : MachineHandle
{
    private const int PagesMax = 32;
    private readonly List<FileArea> _fileAreas = [];
    private readonly List<MmuNotifierSubscription> _subscriptions = [];

    internal Mm(KernelModel kernel, int index, string name, int pages, bool mmapWriters)
        : base(kernel.Machine)
    {
        if (kernel.Machine.Timed is null && pages is < 1 or > PagesMax)
        {
            throw new ArgumentException(
                $"an address space has 1 to {PagesMax} mapped pages, not {pages}", nameof(pages));
        }

        MachineModel machine = kernel.Machine;
        Index = index;
        Name = name;
        HasMmapWriters = mmapWriters;
        Space = machine.Paging.NewAddressSpace(name);
        TlbGen = machine.NewWord($"{name}.tlb_gen", 1);
        ContextId = machine.NewWord($"{name}.context.id");
        CpuMask = machine.NewCpuMask($"mm_cpumask({name})");
        TlbFlushPending = machine.NewWord($"{name}.tlb_flush_pending");
        TlbFlushBatched = machine.NewWord($"{name}.tlb_flush_batched");
        MmapLock = machine.NewRwSemaphore($"{name}.mmap_lock");
        AnonVma = new RmapLock(machine, $"{name}.anon_vma", kernel.Options.AnonVmaLock);
        Vmas = machine.NewWord($"{name}.mm_mt", VmAreas.Covering(0, Math.Min(pages, PagesMax)).Bits);
        AnonVmaPages = machine.NewWord($"{name}.anon_vma.rb_root", VmAreas.Covering(0, Math.Min(pages, PagesMax)).Bits);
        WriteProtectSeq = machine.NewWord($"{name}.write_protect_seq");
        UserfaultWakeups = machine.NewWord($"{name}.userfault_wakeups");
        if (machine.Timed is not null)
        {
            Areas = new AreaTree(machine);
            SwapSlots = [];
            Deposited = [];
            return;
        }

        Deposited = [.. Enumerable.Range(0, machine.Paging.PageCount).Select(page => machine.NewWord($"{name}.pmd_huge_pte[{page}]"))];
        SwapSlots = [.. Enumerable.Range(0, machine.Paging.PageCount)
            .Select(page => machine.NewWord($"{name}.swap[{page}]"))];
    }

    /// <summary>Position in <see cref="KernelModel.Mms"/>.</summary>
    public int Index { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>Its page tables.</summary>
    public AddressSpace Space { get; }

    /// <summary>Value of <c>loaded_mm</c> on a CPU that has it loaded.</summary>
    public ulong LoadedValue => KernelModel.LoadedMmSwitching + 1 + (ulong)Index;

    /// <summary><c>mm->context.ctx_id</c>: never used again; 0 is no address space, 1 is init_mm.</summary>
    public ulong CtxId => CpuTlbState.InitMmCtxId + 1 + (ulong)Index;

    /// <summary>
    /// <c>mm->context.tlb_gen</c>: counts changes of its page tables that TLBs must follow; starts at 1.
    /// </summary>
    public Word TlbGen { get; }

    /// <summary><c>mm->context.id</c> where ASIDs roll over (arm, arm64): 0 until it runs for the first time.</summary>
    public Word ContextId { get; }

    /// <summary><c>mm_cpumask(mm)</c>: CPUs that may hold translations under its loaded root.</summary>
    public CpuMask CpuMask { get; }

    /// <summary>
    /// <c>mm->tlb_flush_pending</c>: gathers (and similar) that changed entries and did not flush yet.
    /// </summary>
    public Word TlbFlushPending { get; }

    /// <summary><c>mm->tlb_flush_batched</c>: batched unmaps, bits 0 to 14 pending, bits 16 to 30 flushed.</summary>
    public Word TlbFlushBatched { get; }

    /// <summary><c>mm->mmap_lock</c>.</summary>
    public RwSemaphore MmapLock { get; }

    /// <summary><c>vma->anon_vma->root->rwsem</c>: one for the address space.</summary>
    public RmapLock AnonVma { get; }

    /// <summary>
    /// What the tree of areas says (<c>mm->mm_mt</c>), as <see cref="VmAreas"/>; changed under mmap_lock for writing.
    /// </summary>
    public Word Vmas { get; }

    /// <summary>The areas on a machine of real size; null on small ones, which use <see cref="Vmas"/>.</summary>
    public AreaTree? Areas { get; }

    /// <summary>
    /// Pages that a walk from page to tables can find, as <see cref="VmAreas"/>; changed under the anon_vma lock.
    /// </summary>
    public Word AnonVmaPages { get; }

    /// <summary><c>mm->write_protect_seq</c>: odd while fork makes entries read-only.</summary>
    public Word WriteProtectSeq { get; }

    /// <summary>
    /// <c>pmd_huge_pte</c>: the table, + 1, that was put aside when a huge page was mapped, by its first page; 0 if none.
    /// </summary>
    public ImmutableArray<Word> Deposited { get; }

    /// <summary>How often userfaultfd woke threads that wait for a page.</summary>
    public Word UserfaultWakeups { get; }

    /// <summary>The swap slot of every page: what was written out last.</summary>
    public ImmutableArray<Word> SwapSlots { get; }

    /// <summary>False if no program takes the mmap_lock for writing.</summary>
    public bool HasMmapWriters { get; }

    /// <summary>The areas that map files; all other pages are anonymous.</summary>
    public IReadOnlyList<FileArea> FileAreas => _fileAreas;

    /// <summary>Its notifiers (<c>mm->notifier_subscriptions</c>).</summary>
    public IReadOnlyList<MmuNotifierSubscription> Subscriptions => _subscriptions;

    /// <summary>The list of those, if programs change it; null if all are on it all the time.</summary>
    public NotifierListWords? NotifierList { get; internal set; }

    /// <summary>Its interval notifiers; null if no program has any.</summary>
    public IntervalTree? Intervals { get; private set; }

    /// <summary>include/linux/mmu_notifier.h: <c>mm_has_notifiers</c>.</summary>
    public bool HasNotifiers => _subscriptions.Count > 0 || Intervals is not null;

    internal IntervalTree MakeIntervals() => Intervals ??= new IntervalTree(Machine, Name);

    internal void AddSubscription(MmuNotifierSubscription subscription) => _subscriptions.Add(subscription);

    /// <summary>Makes pages a shared mapping of a file; while the machine is built.</summary>
    public FileArea AddSharedFileArea(FileMapping file, int first, int count, int offset)
        => AddArea(file, PageRange.Of(first, count), offset, FileAreaKind.Shared);

    /// <summary>Makes pages a mapping of a driver's memory; while the machine is built.</summary>
    public FileArea AddPfnMapArea(FileMapping file, int first, int count, int offset)
        => AddArea(file, PageRange.Of(first, count), offset, FileAreaKind.PfnMap);

    /// <summary>Makes pages a private mapping of a file; while the machine is built. Needs <see cref="KernelOptions.AnonFolios"/>.</summary>
    public FileArea AddPrivateFileArea(FileMapping file, int first, int count, int offset)
        => AddArea(file, PageRange.Of(first, count), offset, FileAreaKind.Private);

    /// <summary>The file area of a page; null for anonymous memory.</summary>
    public FileArea? FileAreaOf(int page)
    {
        foreach (FileArea area in _fileAreas)
        {
            if (area.HasPage(page))
            {
                return area;
            }
        }

        return null;
    }

    /// <summary>The page behind the last one that has the same file area, or none, as a page has; at most end.</summary>
    public int EndOfArea(int page, int end)
    {
        FileArea? area = FileAreaOf(page);
        if (area is not null)
        {
            return Math.Min(end, area.First + area.Count);
        }

        foreach (FileArea other in _fileAreas)
        {
            end = other.First > page ? Math.Min(end, other.First) : end;
        }

        return end;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private FileArea AddArea(FileMapping file, PageRange pages, int offset, FileAreaKind kind)
    {
        var area = new FileArea(this, file, pages, offset, kind);
        _fileAreas.Add(area);
        return area;
    }
}
