using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary><c>madvise</c> (mm/madvise.c).</summary>
public class Madvise(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/madvise.c: <c>madvise_dontneed_single_vma</c>, with <c>zap_page_range_single</c>. Takes mmap_lock for
    /// reading only, so several of them run at a time. Promises that nobody reaches the old pages once it has
    /// returned; false if the range is not mapped (ENOMEM), and then it promises nothing.
    /// </summary>
    [KernelName("madvise_dontneed_single_vma")]
    public virtual async Proc<bool> MadviseDontneed(Cpu cpu, Mm mm, Promise promise)
    {
        await cpu.BeginPromise(promise);
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        bool mapped = areas.Covers(promise.FirstPage, promise.PageCount);
        if (mapped)
        {
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            if (Kernel.Options.PtReclaim)
            {
                await cpu.Store(tlb.Words.Flags, GatherWords.ReclaimPt);
            }

            await Kernel.Zap.UnmapVmas(tlb, promise.FirstPage, promise.PageCount);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        if (mapped)
        {
            await cpu.ReturnPromise(promise);
        }

        return mapped;
    }
}
