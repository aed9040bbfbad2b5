using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary><c>munmap</c> (mm/mmap.c; mm/vma.c since 6.12).</summary>
public class Munmap(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/vma.c: <c>do_vmi_align_munmap</c> with <c>unmap_region</c>. The areas are unlinked with mmap_lock held for
    /// writing; then it is downgraded, and faults and madvise elsewhere in the address space run beside the removal
    /// of pages and tables.
    /// </summary>
    public virtual async Proc DoMunmap(Cpu cpu, Mm mm, Promise promise)
    {
        await cpu.BeginPromise(promise);
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        VmAreas remaining = areas.Without(promise.FirstPage, promise.PageCount);
        await Kernel.MmapLock.StoreVmas(cpu, mm, remaining);
        await Kernel.MmapLock.MmapWriteDowngrade(cpu, mm);
        await Kernel.LruLists.LruAddDrain(cpu);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        await Kernel.Zap.UnmapVmas(tlb, promise.FirstPage, promise.PageCount);
        await Kernel.PageTableFree.FreePgtables(tlb, promise.FirstPage, promise.PageCount, remaining);
        await FinishMunmap(tlb, promise);
    }

    /// <summary>The end of munmap: the flush, what waits for it, and the promise.</summary>
    [KernelName]
    protected virtual async Proc FinishMunmap(TlbGather tlb, Promise promise)
    {
        await Kernel.MmuGather.TlbFinishMmu(tlb);
        await Kernel.MmapLock.MmapReadUnlock(tlb.Cpu, tlb.Mm);
        await tlb.Cpu.ReturnPromise(promise);
    }

    /// <summary>
    /// mm/mmap.c: <c>get_unmapped_area</c>, for addresses that the caller has chosen: nothing to do, unless a flush design keeps addresses
    /// that were unmapped for a while.
    /// </summary>
    public virtual async Proc GetUnmappedArea(Cpu cpu, Mm mm, int first, int count)
    {
    }

    /// <summary>True if <see cref="GetUnmappedArea"/> would have to wait: on a machine of real size, for who can choose another address.</summary>
    public virtual bool IsAddressKept(Mm mm, int first, int count) => false;

    /// <summary>
    /// mm/mmap.c: <c>mmap_region</c> for anonymous, private memory at an address where nothing is mapped (MAP_FIXED_NOREPLACE): the
    /// area is there, its pages come with faults.
    /// </summary>
    public virtual async Proc MmapRegion(Cpu cpu, Mm mm, int first, int count)
    {
        await GetUnmappedArea(cpu, mm, first, count);
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        await cpu.Assert(!areas.Touches(first, count), "nothing is mapped there");
        await Kernel.MmapLock.StoreVmas(cpu, mm, areas.With(first, count));
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
    }
}
