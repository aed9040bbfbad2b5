using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>The OOM reaper (mm/oom_kill.c, 6.12), which takes the memory of a process that is being killed.</summary>
/// <remarks>
/// Simplified: it waits for mmap_lock, which it only tries in the kernel; faults go on to map new pages (<c>MMF_UNSTABLE</c> would make them
/// fail): the threads that could are being killed.
/// </remarks>
public class OomKill(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/oom_kill.c: <c>__oom_reap_task_mm</c>, under mmap_lock for reading: private memory goes, area by area. Notifiers must not sleep; if one
    /// would have to, the area stays as it is. False if some area stayed.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="first">First page.</param>
    /// <param name="count">Number of pages.</param>
    [KernelName("__oom_reap_task_mm")]
    public virtual async Proc<bool> OomReapTaskMm(Cpu cpu, Mm mm, int first, int count)
    {
        ArgumentNullException.ThrowIfNull(mm);
        bool reaped = true;
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        for (int page = first; page < first + count; page = mm.EndOfArea(page, first + count))
        {
            if (mm.FileAreaOf(page)?.Kind is null or FileAreaKind.Private)
            {
                reaped &= await ReapArea(cpu, mm, page, mm.EndOfArea(page, first + count));
            }
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        return reaped;
    }

    /// <summary>The body of the loop: a gather of its own. Without the start of an invalidation there is no end.</summary>
    [KernelName("__oom_reap_task_mm")]
    protected virtual async Proc<bool> ReapArea(Cpu cpu, Mm mm, int first, int end)
    {
        ArgumentNullException.ThrowIfNull(mm);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        bool allowed = !mm.HasNotifiers || await Kernel.MmuNotifier.InvalidateRangeStartNonblock(cpu, mm, first, end - first);
        if (allowed)
        {
            await Kernel.Zap.UnmapPageRange(tlb, first, end, mm.FileAreaOf(first));
            if (mm.HasNotifiers)
            {
                await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, first, end - first);
            }
        }

        await Kernel.MmuGather.TlbFinishMmu(tlb);
        return allowed;
    }
}
