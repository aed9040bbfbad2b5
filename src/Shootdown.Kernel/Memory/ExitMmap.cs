using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>The end of an address space (kernel/exit.c, mm/mmap.c).</summary>
public class ExitMmap(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// kernel/exit.c: <c>exit_mm</c>, for the last thread of a process: its task gives the address space up, and the
    /// CPU goes on with the root loaded, in lazy mode. Its walker may use the tables that <see cref="ExitMmapAll"/>
    /// takes apart.
    /// </summary>
    public virtual async Proc ExitMm(Cpu cpu, Mm mm)
    {
        await Kernel.LazyTlb.EnterLazyTlb(cpu);
        await ExitMmapAll(cpu, mm);
    }

    /// <summary>
    /// mm/mmap.c: <c>exit_mmap</c> on a machine of real size: area by area, and the tables below them. The top-level table
    /// stays.
    /// </summary>
    [KernelName("exit_mmap")]
    public virtual async Proc ExitAreas(Cpu cpu, Mm mm)
    {
        await Kernel.LruLists.LruAddDrain(cpu);
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmuFullmm(cpu, mm);
        AreaTree areas = mm.Areas ?? throw new ProcRuleException($"{mm} has no tree of areas: use ExitMmapAll");
        for (int i = 0; i < areas.Count; i++)
        {
            await Kernel.Zap.UnmapVmas(tlb, areas[i].Start, areas[i].End - areas[i].Start);
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        for (int i = 0; i < areas.Count; i++)
        {
            await Kernel.PageTableFree.FreePgtables(tlb, areas[i].Start, areas[i].End - areas[i].Start, default);
        }

        await Kernel.MmuGather.TlbFinishMmu(tlb);
    }

    /// <summary>
    /// mm/mmap.c: <c>exit_mmap</c>. Nobody else uses the address space any more, so one flush of all of it is enough;
    /// but it comes after everything was unhooked and before anything is freed.
    /// </summary>
    [KernelName("exit_mmap")]
    public virtual async Proc ExitMmapAll(Cpu cpu, Mm mm)
    {
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.Release(cpu, mm);
        }

        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmuFullmm(cpu, mm);
        await Kernel.Zap.UnmapVmas(tlb, 0, Machine.Paging.PageCount);
        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        await Kernel.PageTableFree.FreePgtables(tlb, 0, Machine.Paging.PageCount, default);
        await Kernel.MmuGather.TlbFinishMmu(tlb);
    }
}
