using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// NUMA hinting (mm/mempolicy.c, mm/memory.c): entries are made inaccessible so that the next access tells which node
/// uses the page; a page on the wrong node is moved.
/// </summary>
public class NumaHinting(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/mempolicy.c: <c>change_prot_numa</c>, called by <c>task_numa_work</c> with mmap_lock held for reading. The
    /// flush comes when the gather ends: in between an entry is not accessible, but its predecessor may be cached.
    /// </summary>
    public virtual async Proc ChangeProtNuma(Cpu cpu, Mm mm, int first, int count)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        await Kernel.Mprotect.ChangeProtection(tlb, first, count, ProtectionChange.NumaHint);
        await Kernel.MmuGather.TlbFinishMmu(tlb);
        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
    }
}
