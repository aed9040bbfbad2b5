using System.Collections.Immutable;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// Unmapping in Linux 2.6.33 with notifiers that sleep (mm/memory.c, mm/mmap.c, mm/rmap.c), in the variants of
/// <see cref="Design2010"/>. A function that may sleep returns the CPU on which its task goes on.
/// </summary>
public sealed class Unmap2010 : Mechanism
{
    private readonly Design2010 _design;
    private readonly Gather2010 _gather;
    private readonly Scheduler _scheduler;
    private readonly Srcu _srcu;
    private readonly ImmutableArray<Spinlock> _iMmapSpin;
    private readonly ImmutableArray<KernelMutex> _iMmapMutex;
    private readonly ImmutableArray<Spinlock> _anonVmaSpin;
    private readonly ImmutableArray<KernelMutex> _anonVmaMutex;

    /// <summary>
    /// Makes the locks; every process has a file and an anon_vma of its own. The kernel's gather must be a <see cref="Gather2010"/>.
    /// </summary>
    public Unmap2010(KernelModel kernel, Design2010 design, int processes)
        : base(kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        _design = design;
        _gather = kernel.MmuGather as Gather2010 ?? throw new ArgumentException("the gather must be that of 2010", nameof(kernel));
        _scheduler = new Scheduler(kernel);
        _srcu = Machine.NewSrcu("srcu");
        _iMmapSpin = LocksOf(processes, design.IMmapSleeps, index => Machine.NewSpinLock($"i_mmap_lock{index}"));
        _iMmapMutex = LocksOf(processes, !design.IMmapSleeps, index => Machine.NewMutex($"i_mmap_mutex{index}"));
        _anonVmaSpin = LocksOf(processes, design.AnonVmaSleeps, index => Machine.NewSpinLock($"anon_vma{index}.lock"));
        _anonVmaMutex = LocksOf(processes, !design.AnonVmaSleeps, index => Machine.NewMutex($"anon_vma{index}.mutex"));
    }

    /// <summary>mm/mmap.c: <c>unmap_region</c>.</summary>
    public async Proc<Cpu> UnmapRegion(Cpu cpu, Task2010 task, int first, int count)
    {
        if (_design.NotifierFirst)
        {
            cpu = await MmuNotifierInvalidateRangeStart(cpu, task);
        }

        TlbGather tlb = await _gather.Gather(cpu, task.Mm, task.Stack);
        tlb = await UnmapVmas(tlb, task, first, count);
        await _gather.TlbFinishMmu(tlb);
        return _design.NotifierFirst ? await MmuNotifierInvalidateRangeEnd(tlb.Cpu, task) : tlb.Cpu;
    }

    /// <summary>mm/memory.c: <c>unmap_mapping_range</c>: a truncation walks all mappings of the file under i_mmap_lock.</summary>
    public async Proc<Cpu> UnmapMappingRange(Cpu cpu, Task2010 task, int first, int count)
    {
        await LockIMmap(cpu, task.Mm, true);
        cpu = await UnmapMappingRangeVma(cpu, task, first, count);
        await LockIMmap(cpu, task.Mm, false);
        return cpu;
    }

    /// <summary>mm/memory.c: <c>unmap_mapping_range_vma</c>, through <c>zap_page_range</c>.</summary>
    public async Proc<Cpu> UnmapMappingRangeVma(Cpu cpu, Task2010 task, int first, int count)
        => await UnmapRegion(cpu, task, first, count);

    /// <summary>
    /// mm/rmap.c: <c>try_to_unmap_anon</c>: the page's users, one by one, under the anon_vma lock. For each of them
    /// <c>ptep_clear_flush_notify</c>, or the range functions.
    /// </summary>
    public async Proc<Cpu> TryToUnmapAnon(Cpu cpu, Task2010 task, int page)
    {
        await LockAnonVma(cpu, task.Mm, true);
        cpu = await TryToUnmapOne(cpu, task, page);
        await LockAnonVma(cpu, task.Mm, false);
        return cpu;
    }

    /// <summary>mm/rmap.c: <c>try_to_unmap_one</c>.</summary>
    public async Proc<Cpu> TryToUnmapOne(Cpu cpu, Task2010 task, int page)
    {
        if (_design.RmapUsesRange)
        {
            cpu = await MmuNotifierInvalidateRangeStart(cpu, task);
        }

        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, task.Mm, page);
        Pte old = await Kernel.PteOps.PtepClearFlush(cpu, task.Mm, table, page);
        if (!_design.RmapUsesRange)
        {
            await MmuNotifierInvalidatePage(cpu);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        if (_design.RmapUsesRange)
        {
            cpu = await MmuNotifierInvalidateRangeEnd(cpu, task);
        }

        if (old.Present)
        {
            await cpu.PutFrames(1UL << old.Frame, "page_cache_release");
        }

        return cpu;
    }

    /// <summary>
    /// mm/memory.c: <c>unmap_vmas</c>. The notifier is told here, inside the gather, unless the caller did. After a block of
    /// pages the loop may reschedule: it finishes the gather before, and takes another one behind.
    /// </summary>
    private async Proc<TlbGather> UnmapVmas(TlbGather tlb, Task2010 task, int first, int count)
    {
        if (!_design.NotifierFirst)
        {
            tlb = tlb with { Cpu = await MmuNotifierInvalidateRangeStart(tlb.Cpu, task) };
        }

        int block = _design.BlockPages == 0 ? count : _design.BlockPages;
        for (int page = first; page < first + count; page += block)
        {
            if (page > first)
            {
                tlb = await BreakLoop(tlb, task);
            }

            await Kernel.Zap.UnmapVmas(tlb, page, Math.Min(block, first + count - page));
        }

        return _design.NotifierFirst ? tlb : tlb with { Cpu = await MmuNotifierInvalidateRangeEnd(tlb.Cpu, task) };
    }

    /// <summary>The lock break of <c>unmap_vmas</c>: <c>cond_resched</c> between two blocks.</summary>
    [KernelName]
    private async Proc<TlbGather> BreakLoop(TlbGather tlb, Task2010 task)
    {
        if (_design.FinishesBeforeBreak)
        {
            await _gather.TlbFinishMmu(tlb);
        }

        Cpu cpu = await CondResched(tlb.Cpu, task);
        return _design.FinishesBeforeBreak ? await _gather.Gather(cpu, task.Mm, task.Stack) : tlb with { Cpu = cpu };
    }

    /// <summary>kernel/sched.c: <c>cond_resched</c>, where somebody else wants the CPU.</summary>
    private async Proc<Cpu> CondResched(Cpu cpu, Task2010 task)
    {
        await cpu.MightSleep("cond_resched()");
        return await _scheduler.Schedule(cpu, task.Task, task.Mm);
    }

    /// <summary>mm/mmu_notifier.c: <c>__mmu_notifier_invalidate_range_start</c>: every callback, inside a read section.</summary>
    [KernelName("mmu_notifier_invalidate_range_start")]
    private async Proc<Cpu> MmuNotifierInvalidateRangeStart(Cpu cpu, Task2010 task) => await CallNotifiers(cpu, task, "invalidate_range_start()");

    /// <summary>
    /// mm/mmu_notifier.c: <c>__mmu_notifier_invalidate_range_end</c>. That start may sleep is enough to lose the CPU, so the
    /// callback does not sleep here; it is judged all the same.
    /// </summary>
    [KernelName("mmu_notifier_invalidate_range_end")]
    private async Proc<Cpu> MmuNotifierInvalidateRangeEnd(Cpu cpu, Task2010 task)
    {
        if (_design.CallbacksSleep)
        {
            await cpu.MightSleep("invalidate_range_end()");
        }

        return cpu;
    }

    /// <summary>mm/mmu_notifier.c: <c>__mmu_notifier_invalidate_page</c>: atomic by contract.</summary>
    private async Proc MmuNotifierInvalidatePage(Cpu cpu)
    {
        await cpu.RcuReadLock();
        await cpu.RcuReadUnlock();
    }

    [KernelName]
    private async Proc<Cpu> CallNotifiers(Cpu cpu, Task2010 task, string callback)
    {
        int section = 0;
        if (_design.Srcu)
        {
            section = await cpu.SrcuReadLock(_srcu);
        }
        else
        {
            await cpu.RcuReadLock();
        }

        if (_design.CallbacksSleep)
        {
            await cpu.MightSleep(callback);
            cpu = await _scheduler.Schedule(cpu, task.Task, task.Mm);
        }

        if (_design.Srcu)
        {
            await cpu.SrcuReadUnlock(_srcu, section);
        }
        else
        {
            await cpu.RcuReadUnlock();
        }

        return cpu;
    }

    private async Proc LockIMmap(Cpu cpu, Mm mm, bool takes)
    {
        if (_design.IMmapSleeps)
        {
            await Take(cpu, _iMmapMutex[mm.Index], takes);
        }
        else
        {
            await Take(cpu, _iMmapSpin[mm.Index], takes);
        }
    }

    private async Proc LockAnonVma(Cpu cpu, Mm mm, bool takes)
    {
        if (_design.AnonVmaSleeps)
        {
            await Take(cpu, _anonVmaMutex[mm.Index], takes);
        }
        else
        {
            await Take(cpu, _anonVmaSpin[mm.Index], takes);
        }
    }

    private static ImmutableArray<T> LocksOf<T>(int processes, bool none, Func<int, T> make)
        => none ? [] : [.. Enumerable.Range(0, processes).Select(make)];

    private static Op Take(Cpu cpu, KernelMutex mutex, bool takes) => takes ? cpu.MutexLock(mutex) : cpu.MutexUnlock(mutex);

    private static Op Take(Cpu cpu, Spinlock spinLock, bool takes) => takes ? cpu.SpinLock(spinLock) : cpu.SpinUnlock(spinLock);
}
