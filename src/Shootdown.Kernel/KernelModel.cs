using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// A kernel on a machine: its address spaces, its per-CPU state and one object a mechanism. Mechanisms call each
/// other through it, so that a replaced one (see <see cref="KernelParts"/>) takes effect everywhere.
/// </summary>
public sealed class KernelModel : MachineHandle
{
    /// <summary>Value of <c>loaded_mm</c> for <c>init_mm</c>: kernel page tables only.</summary>
    public const ulong InitMm = 0;

    /// <summary>
    /// Value of <c>loaded_mm</c> while CR3 and the per-CPU state disagree (<c>LOADED_MM_SWITCHING</c>).
    /// </summary>
    public const ulong LoadedMmSwitching = 1;

    private readonly List<Mm> _mms = [];

    /// <summary>Makes a kernel; address spaces and the CPUs' first states are added next.</summary>
    public KernelModel(MachineModel machine, KernelOptions? options = null, KernelParts? parts = null)
        : base(machine)
    {
        Options = options ?? new KernelOptions();
        parts ??= new KernelParts();
        TlbStates = [.. machine.Cpus.Select(cpu => new CpuTlbState(cpu))];
        UnmapBatches = [.. machine.Cpus.Select(cpu => new UnmapBatch(cpu))];
        Gathers = [.. machine.Cpus.Select(cpu => new GatherWords(cpu))];
        PteOps = parts.PteOps(this);
        PageWalk = parts.PageWalk(this);
        MmapLock = parts.MmapLock(this);
        Rmap = parts.Rmap(this);
        SwitchMm = parts.SwitchMm(this);
        LazyTlb = parts.LazyTlb(this);
        TlbFlush = parts.TlbFlush(this);
        TlbBatch = parts.TlbBatch(this);
        MmuGather = parts.MmuGather(this);
        PageTableFree = parts.PageTableFree(this);
        PmdCollapse = parts.PmdCollapse(this);
        Zap = parts.Zap(this);
        ExitMmap = parts.ExitMmap(this);
        ChangePageAttr = parts.ChangePageAttr?.Invoke(this);
        PageFault = parts.PageFault(this);
        UserAccess = parts.UserAccess(this);
        Munmap = parts.Munmap(this);
        Madvise = parts.Madvise(this);
        Mprotect = parts.Mprotect(this);
        Reclaim = parts.Reclaim(this);
    }

    /// <summary>Build-time choices.</summary>
    public KernelOptions Options { get; }

    /// <summary>User address spaces, by index.</summary>
    public IReadOnlyList<Mm> Mms => _mms;

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

    /// <summary>The way from a page to the tables that map it.</summary>
    public Rmap Rmap { get; }

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

    /// <summary>The end of an address space.</summary>
    public ExitMmap ExitMmap { get; }

    /// <summary>Changes of the kernel's own mapping; null if no program makes any.</summary>
    public ChangePageAttr? ChangePageAttr { get; }

    /// <summary>Page faults.</summary>
    public PageFault PageFault { get; }

    /// <summary>What user threads do.</summary>
    public UserAccess UserAccess { get; }

    /// <summary><c>munmap</c>.</summary>
    public Munmap Munmap { get; }

    /// <summary><c>madvise</c>.</summary>
    public Madvise Madvise { get; }

    /// <summary><c>mprotect</c>.</summary>
    public Mprotect Mprotect { get; }

    /// <summary>Page reclaim.</summary>
    public Reclaim Reclaim { get; }

    /// <summary>True if the CPUs tell address spaces apart by PCID and keep entries across switches.</summary>
    public bool HasPcid => Machine.Options.Asids > 1;

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

    /// <summary>Initial state: the CPU runs a thread of the address space.</summary>
    public void BuildRunning(Cpu cpu, Mm mm, int asid = 0)
    {
        CpuTlbState state = TlbStates[cpu.Index];
        BuildSlot(cpu, mm, asid);
        Machine.Paging.BuildLoadedRoot(cpu, mm.Space, asid);
        Machine.SetInitial(state.LoadedMm.Address, mm.LoadedValue);
        Machine.SetInitial(state.ActiveMm.Address, mm.LoadedValue);
        Machine.SetInitial(state.LoadedAsid.Address, (ulong)asid);
        Machine.SetInitial(mm.CpuMask.Address, Machine.WordInfo(mm.CpuMask.Address).Initial | cpu.Bit);
    }

    /// <summary>
    /// Initial state: the CPU runs a kernel thread and keeps the address space's root loaded (lazy TLB mode).
    /// </summary>
    public void BuildLazy(Cpu cpu, Mm mm, int asid = 0)
    {
        BuildRunning(cpu, mm, asid);
        Machine.SetInitial(TlbStates[cpu.Index].IsLazy.Address, 1);
    }

    /// <summary>Initial state: the CPU ran the address space before and kept its ASID, up to date.</summary>
    public void BuildSlot(Cpu cpu, Mm mm, int asid)
    {
        CpuTlbState state = TlbStates[cpu.Index];
        Machine.SetInitial(state.SlotCtxId[asid].Address, mm.CtxId);
        Machine.SetInitial(state.SlotTlbGen[asid].Address, 1);
        ulong next = Math.Max(Machine.WordInfo(state.NextAsid.Address).Initial, (ulong)asid + 1);
        Machine.SetInitial(state.NextAsid.Address, next);
    }
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
