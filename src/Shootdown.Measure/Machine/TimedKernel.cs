using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>A kernel on a timed machine, and the calls that programs make into it.</summary>
public sealed class TimedKernel
{
    private readonly Dictionary<string, int> _callNs = [];
    private readonly Stack<Mm> _dropped = [];
    private readonly int _syscallNs;
    private readonly int _membarrier;

    /// <summary>Makes a kernel on a machine of its own.</summary>
    /// <param name="profile">Which kernel.</param>
    /// <param name="cpus">CPUs, 1 to 512.</param>
    /// <param name="frames">Frames of 4 KiB.</param>
    /// <param name="costs">What things cost; null for the defaults.</param>
    /// <param name="seed">Seed of the latencies of interrupts.</param>
    public TimedKernel(TimedProfile profile, int cpus, int frames = 1 << 20, CostTable? costs = null, ulong seed = 1)
    {
        ArgumentNullException.ThrowIfNull(profile);
        Machine = new TimedMachine(cpus, frames, costs, seed, profile.ExtraAsids);
        Kernel = new KernelModel(Machine.Model, profile.Options, profile.Parts);
        Kernel.BuildZeroPage(Machine.Tables.AllocFrame());
        _membarrier = Machine.Model.Interrupts.RegisterFunction("ipi_mb", static async (cpu, _) => await cpu.FullBarrier());
        _syscallNs = Machine.Costs["kernel.syscall_ns"];
    }

    /// <summary>The machine.</summary>
    public TimedMachine Machine { get; }

    /// <summary>The kernel.</summary>
    public KernelModel Kernel { get; }

    /// <summary>Calls made so far: system calls and page faults.</summary>
    public long Calls { get; private set; }

    /// <summary>A CPU.</summary>
    public Cpu Cpu(int index) => Machine.Model.Cpus[index];

    /// <summary>Makes a process without any area, or takes one that was dropped.</summary>
    public Mm NewProcess(string name) => _dropped.TryPop(out Mm? mm) ? mm : Kernel.NewMm(name, 0);

    /// <summary>The CPU starts to run a thread of the process.</summary>
    public async Proc SwitchTo(Cpu cpu, Mm? mm)
    {
        Machine.Charge(cpu, Machine.Costs["kernel.context_switch_ns"]);
        await Kernel.SwitchMm.SwitchTo(cpu, mm);
    }

    /// <summary>The CPU's thread blocks and nothing else runs: the CPU idles in lazy TLB mode.</summary>
    public async Proc GoIdle(Cpu cpu) => await Kernel.LazyTlb.EnterLazyTlb(cpu);

    /// <summary>mmap: anonymous memory, readable and writable.</summary>
    public async Proc Mmap(Cpu cpu, Mm mm, int first, int count)
    {
        ArgumentNullException.ThrowIfNull(mm);
        Enter(cpu, "mmap");
        await Kernel.Munmap.GetUnmappedArea(cpu, mm, first, count);
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        await Kernel.MmapLock.StoreVmas(cpu, mm, areas.With(first, count));
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
    }

    /// <summary>munmap.</summary>
    public async Proc Munmap(Cpu cpu, Mm mm, int first, int count)
    {
        long start = Enter(cpu, "munmap");
        await Kernel.Munmap.DoMunmap(cpu, mm, Promise(cpu, mm, first, count, PromiseKind.Removed, "munmap()"));
        Leave(cpu, start, "munmap");
    }

    /// <summary>madvise(MADV_DONTNEED).</summary>
    public async Proc MadviseDontneed(Cpu cpu, Mm mm, int first, int count)
    {
        long start = Enter(cpu, "madvise");
        await Kernel.Madvise.MadviseDontneed(cpu, mm, Promise(cpu, mm, first, count, PromiseKind.Removed, "madvise()"));
        Leave(cpu, start, "madvise");
    }

    /// <summary>madvise(MADV_FREE).</summary>
    public async Proc MadviseFree(Cpu cpu, Mm mm, int first, int count)
    {
        long start = Enter(cpu, "madvise");
        await Kernel.Madvise.MadviseFree(cpu, mm, first, count);
        Leave(cpu, start, "madvise");
    }

    /// <summary>madvise(MADV_COLD).</summary>
    public async Proc MadviseCold(Cpu cpu, Mm mm, int first, int count)
    {
        long start = Enter(cpu, "madvise");
        await Kernel.Madvise.MadviseCold(cpu, mm, first, count);
        Leave(cpu, start, "madvise");
    }

    /// <summary>madvise(MADV_PAGEOUT).</summary>
    public async Proc MadvisePageout(Cpu cpu, Mm mm, int first, int count)
    {
        long start = Enter(cpu, "madvise");
        await Kernel.Madvise.MadvisePageout(cpu, mm, first, count);
        Leave(cpu, start, "madvise");
    }

    /// <summary>madvise(MADV_HUGEPAGE).</summary>
    public void MadviseHugepage(Cpu cpu, Mm mm, int first, int count)
    {
        Enter(cpu, "madvise");
        ((CompoundHugeMemory)Kernel.HugeMemory).Want(mm, first, count);
    }

    /// <summary>Faults on the huge page of a page map it as one from here on, where nothing is mapped.</summary>
    internal void WantHugePage(Mm mm, int page) => ((CompoundHugeMemory)Kernel.HugeMemory).Want(mm, page, 1);

    /// <summary>Faults on the huge page of a page map small ones again.</summary>
    internal void UnwantHugePage(Mm mm, int page) => ((CompoundHugeMemory)Kernel.HugeMemory).Unwant(mm, page);

    /// <summary>madvise(MADV_COLLAPSE): false if some of the range could not be made huge.</summary>
    public async Proc<bool> MadviseCollapse(Cpu cpu, Mm mm, int first, int count)
    {
        long start = Enter(cpu, "madvise");
        bool all = await Kernel.Madvise.MadviseCollapse(cpu, mm, first, count);
        Leave(cpu, start, "madvise");
        return all;
    }

    /// <summary>move_pages to a node.</summary>
    public async Proc MovePages(Cpu cpu, Mm mm, int first, int count, int node)
    {
        long start = Enter(cpu, "move_pages");
        await Kernel.MovePages.DoPagesMove(cpu, mm, first, count, node);
        Leave(cpu, start, "move_pages");
    }

    /// <summary>mprotect(PROT_READ).</summary>
    public async Proc MprotectReadOnly(Cpu cpu, Mm mm, int first, int count)
    {
        long start = Enter(cpu, "mprotect");
        await Kernel.Mprotect.MprotectReadOnly(
            cpu, mm, Promise(cpu, mm, first, count, PromiseKind.WriteProtected, "mprotect()"));
        Leave(cpu, start, "mprotect");
    }

    /// <summary>mprotect(PROT_NONE).</summary>
    public async Proc MprotectNone(Cpu cpu, Mm mm, int first, int count)
    {
        long start = Enter(cpu, "mprotect");
        await Kernel.Mprotect.MprotectNone(cpu, mm, Promise(cpu, mm, first, count, PromiseKind.Removed, "mprotect()"));
        Leave(cpu, start, "mprotect");
    }

    /// <summary>mprotect(PROT_READ | PROT_WRITE).</summary>
    public async Proc MprotectWritable(Cpu cpu, Mm mm, int first, int count)
    {
        long start = Enter(cpu, "mprotect");
        await Kernel.Mprotect.MprotectWritable(cpu, mm, first, count);
        Leave(cpu, start, "mprotect");
    }

    /// <summary>mremap to another place.</summary>
    public async Proc Mremap(Cpu cpu, Mm mm, int first, int count, int to)
    {
        long start = Enter(cpu, "mremap");
        await Kernel.Mremap.MoveVma(cpu, mm, Promise(cpu, mm, first, count, PromiseKind.Removed, "mremap()"), to);
        Leave(cpu, start, "mremap");
    }

    /// <summary>fork: the child gets all areas and what is mapped there.</summary>
    public async Proc<Mm> Fork(Cpu cpu, Mm parent)
    {
        ArgumentNullException.ThrowIfNull(parent);
        Mm child = NewProcess($"{parent.Name}.child");
        await Fork(cpu, parent, child);
        return child;
    }

    /// <summary>fork into an empty address space.</summary>
    public async Proc Fork(Cpu cpu, Mm parent, Mm child)
    {
        ArgumentNullException.ThrowIfNull(parent);
        ArgumentNullException.ThrowIfNull(child);
        long start = Enter(cpu, "fork");
        child.Areas!.CopyFrom(parent.Areas!);
        await Kernel.Fork.DupMmap(cpu, parent, child, Promise(cpu, parent, 0, int.MaxValue, PromiseKind.WriteProtected, "fork()"));
        Leave(cpu, start, "fork");
    }

    /// <summary>The last thread of a process ends on this CPU: everything is unmapped, and the address space is as good as new.</summary>
    public async Proc Exit(Cpu cpu, Mm mm)
    {
        ArgumentNullException.ThrowIfNull(mm);
        await Kernel.ExitMmap.ExitAreas(cpu, mm);
        mm.Areas!.Remove(0, int.MaxValue);
    }

    /// <summary>
    /// kernel/fork.c: <c>__mmdrop</c>: the address space of a process that has ended (<see cref="Exit"/>) and that no CPU has loaded, or ever had, is
    /// there for the next one.
    /// </summary>
    public void Drop(Mm mm) => _dropped.Push(mm);

    /// <summary>membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED): an IPI to all other CPUs that run the process.</summary>
    public async Proc Membarrier(Cpu cpu, Mm mm)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        ArgumentNullException.ThrowIfNull(mm);
        Enter(cpu, "membarrier");
        CpuSet targets = default;
        for (int i = 0; i < Machine.Cpus.Count; i++)
        {
            CpuTlbState state = Kernel.TlbStates[i];
            bool runs = await cpu.Load(state.LoadedMm) == mm.LoadedValue && await cpu.Load(state.IsLazy) == 0;
            targets = runs && i != cpu.Index ? targets.With(Cpu(i)) : targets;
        }

        if (!targets.IsEmpty)
        {
            await cpu.SendIpi(targets, _membarrier);
            await cpu.AwaitIpiAcknowledgements();
        }
    }

    /// <summary>A user access; a fault is handled, and the access is tried again.</summary>
    public async Proc Access(Cpu cpu, Mm mm, int page, bool write)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        ArgumentNullException.ThrowIfNull(mm);
        if (Machine.Cpus[cpu.Index].Space != mm.Space)
        {
            throw new ProcRuleException($"{cpu} accesses {Paging.AddressText(page)} of an address space that it has not loaded");
        }

        while ((write ? await cpu.AccessStore(page, 1) : await cpu.AccessTouch(page)).Faulted)
        {
            if (!await HandleFault(cpu, mm, page, write))
            {
                throw new ProcRuleException($"a program on {cpu} ends with SIGSEGV at {Paging.AddressText(page)}");
            }
        }
    }

    /// <summary>A page fault, of a CPU or of a device; false if nothing may be mapped there.</summary>
    public Proc<bool> HandleFault(Cpu cpu, Mm mm, int page, bool write)
    {
        Calls++;
        return Kernel.PageFault.HandleMmFault(cpu, mm, page, write);
    }

    /// <summary>User accesses of consecutive pages.</summary>
    public async Proc Touch(Cpu cpu, Mm mm, int first, int count, bool write = true)
    {
        for (int page = first; page < first + count; page++)
        {
            await Access(cpu, mm, page, write);
        }
    }

    /// <summary>Entry into the kernel; returns when it was.</summary>
    public long Enter(Cpu cpu, string call)
    {
        Calls++;
        long start = Machine.NowOf(cpu);
        if (!_callNs.TryGetValue(call, out int callNs))
        {
            callNs = Machine.Costs.Values.TryGetValue($"kernel.{call}_ns", out int known) ? known : 0;
            _callNs.Add(call, callNs);
        }

        Machine.Charge(cpu, _syscallNs + callNs);
        return start;
    }

    /// <summary>Return to user mode.</summary>
    public void Leave(Cpu cpu, long start, string call) => Machine.Trace?.Span(cpu, start, Machine.NowOf(cpu), call);

    private Promise Promise(Cpu cpu, Mm mm, int first, int count, PromiseKind kind, string function)
        => new(Machine.Model, cpu, mm.Space, first, count, kind, function);
}
