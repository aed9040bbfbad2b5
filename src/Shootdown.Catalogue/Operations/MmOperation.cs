using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What kind of memory an operation meets.</summary>
public enum PageKind
{
    /// <summary>Private anonymous memory.</summary>
    Anonymous,

    /// <summary>Anonymous memory that a fork left shared with a child: entries are read-only, and a store makes a copy.</summary>
    CopyOnWrite,

    /// <summary>
    /// Anonymous memory that somebody else has a reference of: entries are writable, but the pages are not exclusive, and once an entry is
    /// read-only a store makes a copy.
    /// </summary>
    Referenced,

    /// <summary>Anonymous memory whose entries are NUMA hints: the next access faults, and the page may be moved.</summary>
    Hinted,

    /// <summary>Anonymous memory that userfaultfd has write-protected: a store waits until somebody lifts that.</summary>
    UserfaultProtected,

    /// <summary>
    /// Anonymous memory that one huge entry maps. An operation on the whole page changes that entry, one on a part of it splits it.
    /// </summary>
    Huge,

    /// <summary>
    /// Anonymous memory that one huge entry maps and a fork left shared with a child, which the kernel's second address space is: both huge
    /// entries are read-only, and a store splits the entry and makes a copy, unless the child is gone by then.
    /// </summary>
    HugeCopyOnWrite,

    /// <summary>A shared mapping of a file.</summary>
    File,

    /// <summary>
    /// A shared mapping of a file that one huge entry maps, writable and dirty, of a huge folio of the page cache. An operation on a part of it splits
    /// the entry: nothing is left, and faults map the folio again.
    /// </summary>
    HugeFile,

    /// <summary>A private mapping of a file, of which nothing is mapped yet: a store makes a copy.</summary>
    PrivateFile,

    /// <summary>Memory of a driver, which nothing counts (<c>VM_PFNMAP</c>).</summary>
    Driver,

    /// <summary>hugetlbfs: the page table is shared with another process, which is the kernel's second address space.</summary>
    Hugetlb,
}

/// <summary>
/// Something that changes or uses an address space: a system call, a fault, a kernel daemon at work. <c>pairs</c> crosses every
/// operation with every other. A new operation is one class in one file and joins by itself; see docs/operation.md.
/// </summary>
public abstract class MmOperation
{
    /// <summary>Short id, lower case with dashes, e.g. <c>madvise-dontneed</c>.</summary>
    public abstract string Id { get; }

    /// <summary>What its column in a diagram is called, e.g. <c>madvise</c>.</summary>
    public abstract string Role { get; }

    /// <summary>What it promises about its range; null if nothing.</summary>
    public virtual PromiseKind? Promises => null;

    /// <summary>True if it promises something about older translations.</summary>
    public bool RulesOutTranslations => Promises?.RulesOutTranslations() == true;

    /// <summary>True if it takes the mmap_lock for writing at any time.</summary>
    public virtual bool WritesMmapLock => false;

    /// <summary>True if it may free page tables: its cells get two levels of tables and walk caches.</summary>
    public virtual bool FreesTables => false;

    /// <summary>True if it waits for, or leaves something to, an RCU grace period.</summary>
    public virtual bool NeedsGracePeriods => false;

    /// <summary>True if it runs in a kernel thread, on kernel page tables.</summary>
    public virtual bool IsKernelThread => false;

    /// <summary>False if pages of its range may be gone behind it.</summary>
    public virtual bool KeepsContents => !EndsProcess && Promises is not (PromiseKind.Removed or PromiseKind.ContentsGivenUp);

    /// <summary>True if frames have references behind it that no entry and no page cache of the machine explains.</summary>
    public virtual bool LeavesReferences => false;

    /// <summary>Frames for each of its pages that it can hold besides the mapped one: allocated, or waiting to be freed.</summary>
    public virtual int FramesHeld => 1;

    /// <summary>Pages behind the others of the address space that it moves or copies its own to; 0 for none.</summary>
    public virtual int DestinationPages(int pageCount) => 0;

    /// <summary>
    /// True if it splits a huge page before it does anything else: two such operations meet on small pages, and not on
    /// <see cref="PageKind.Huge"/>.
    /// </summary>
    public virtual bool SplitsHugePages => false;

    /// <summary>True if it works on a huge page's worth of small pages: the machine has as many, and all operations work on them.</summary>
    public virtual bool NeedsHugePage => false;

    /// <summary>True if it makes a child process.</summary>
    public virtual bool HasChild => false;

    /// <summary>False if it cannot run twice on the same pages at a time.</summary>
    public virtual bool MeetsItself => true;

    /// <summary>True if it ends the process: it meets no other operation, but guests and devices that still have the process's memory.</summary>
    public virtual bool EndsProcess => false;

    /// <summary>
    /// True if it leaves entries that stand for a page but that hardware cannot use: migration entries, NUMA hints. Who removes the page must
    /// not take them for empty.
    /// </summary>
    public virtual bool HidesPages => false;

    /// <summary>
    /// False if it meets a few others only, because elsewhere it would show what another operation shows: <see cref="Joins"/> says on which machines.
    /// </summary>
    public virtual bool MeetsAll => true;

    /// <summary>True for a machine that it joins, of those that the matrix has for its operations.</summary>
    public virtual bool Joins(PairCell cell) => true;

    /// <summary>
    /// True if the thread beside it handles its page faults: what the operation looked up or took away may then be there again, as another page.
    /// </summary>
    /// <param name="others">The operations of the machine, this one among them.</param>
    public virtual bool BystanderFaults(IReadOnlyList<MmOperation> others) => false;

    /// <summary>False if a page that it takes away would come back by a fault as something that the model does not have.</summary>
    public virtual bool PagesComeBack => true;

    /// <summary>True if what it does may leave another operation waiting for ever, which is no deadlock then.</summary>
    public virtual bool MayLeaveOthersWaiting => false;

    /// <summary>The address space that it works on.</summary>
    public virtual Mm SpaceOf(Stage stage)
    {
        ArgumentNullException.ThrowIfNull(stage);
        return stage.Mm;
    }

    /// <summary>What it needs of the kernel's build-time choices.</summary>
    public virtual KernelOptions Configure(KernelOptions options) => options;

    /// <summary>True if it can work on such memory.</summary>
    public virtual bool WorksOn(PageKind kind) => kind is PageKind.Anonymous or PageKind.CopyOnWrite;

    /// <summary>True if it works on hugetlbfs, which faults and lookups of other memory do not understand.</summary>
    public virtual bool WorksOnHugetlb => false;

    /// <summary>True if it meets such memory in the matrix.</summary>
    public bool Meets(PageKind kind) => kind switch
    {
        PageKind.Hugetlb => WorksOnHugetlb,
        PageKind.Huge or PageKind.HugeCopyOnWrite or PageKind.UserfaultProtected => WorksOn(PageKind.Anonymous),
        _ => WorksOn(kind),
    };

    /// <summary>Its program.</summary>
    /// <param name="call">On which CPU, address space and pages.</param>
    public abstract Proc Run(OperationCall call);
}

/// <summary>One call of an operation: made while the machine is built, and immutable.</summary>
public sealed class OperationCall : MachineHandle
{
    /// <summary>Creates the call, with the operation's promise if it makes one.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="operation">Which operation.</param>
    /// <param name="firstPage">First page.</param>
    /// <param name="pageCount">Number of pages.</param>
    /// <param name="destination">First page of its destination; -1 if it has none.</param>
    /// <param name="child">The child process that it makes; null if it makes none.</param>
    public OperationCall(
        KernelModel kernel,
        Cpu cpu,
        Mm mm,
        MmOperation operation,
        int firstPage,
        int pageCount,
        int destination = -1,
        Mm? child = null)
        : base(Owner(kernel))
    {
        ArgumentNullException.ThrowIfNull(mm);
        ArgumentNullException.ThrowIfNull(operation);
        Kernel = kernel;
        Cpu = cpu;
        Mm = mm;
        FirstPage = firstPage;
        PageCount = pageCount;
        DestinationPage = destination;
        MadeChild = child;
        Promised = operation.Promises is { } kind
            ? new Promise(kernel.Machine, cpu, mm.Space, firstPage, pageCount, kind, $"{operation.Role}()")
            : null;
    }

    /// <summary>The kernel.</summary>
    public KernelModel Kernel { get; }

    /// <summary>The CPU that runs it.</summary>
    public Cpu Cpu { get; }

    /// <summary>The address space that it is about.</summary>
    public Mm Mm { get; }

    /// <summary>First page.</summary>
    public int FirstPage { get; }

    /// <summary>Number of pages.</summary>
    public int PageCount { get; }

    /// <summary>First page of its destination; -1 if it has none.</summary>
    public int DestinationPage { get; }

    /// <summary>The frames that its pages are mapped to at the start, as a mask.</summary>
    public ulong Frames => Stage.MappedFrames(PageCount) << FirstPage;

    /// <summary>The child process of an operation that makes one.</summary>
    /// <exception cref="InvalidOperationException">It makes none.</exception>
    public Mm Child => MadeChild ?? throw new InvalidOperationException("the operation makes no child process");

    /// <summary>The promise of an operation that makes one.</summary>
    /// <exception cref="InvalidOperationException">It makes none.</exception>
    public Promise Promise => Promised ?? throw new InvalidOperationException("the operation promises nothing");

    private Promise? Promised { get; }

    private Mm? MadeChild { get; }

    private static MachineModel Owner(KernelModel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return kernel.Machine;
    }
}
