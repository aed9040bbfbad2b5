using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Write protection by userfaultfd (fs/userfaultfd.c, mm/userfaultfd.c): another thread of the process decides when a
/// page may be written again. Who protects holds mmap_lock only for reading.
/// </summary>
public class Userfaultfd(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// fs/userfaultfd.c: <c>userfaultfd_writeprotect</c> with UFFDIO_WRITEPROTECT_MODE_WP. Promises that every store
    /// to the range faults once it has returned; nothing if the range is not mapped (ENOENT).
    /// </summary>
    public virtual async Proc WriteProtect(Cpu cpu, Mm mm, Promise promise)
    {
        await cpu.BeginPromise(promise);
        if (await MwriteprotectRange(cpu, mm, promise.FirstPage, promise.PageCount, true))
        {
            await cpu.ReturnPromise(promise);
        }
    }

    /// <summary>
    /// fs/userfaultfd.c: <c>userfaultfd_writeprotect</c> without the mode flag, with <c>wake_userfault</c>: writes are
    /// allowed again, and those who wait for that are woken.
    /// </summary>
    public virtual async Proc WriteUnprotect(Cpu cpu, Mm mm, int first, int count)
    {
        await MwriteprotectRange(cpu, mm, first, count, false);
        await cpu.AddReturn(mm.UserfaultWakeups, 1);
    }

    /// <summary>
    /// mm/userfaultfd.c: <c>mwriteprotect_range</c>, <c>uffd_wp_range</c>. The flush comes when the gather ends; until
    /// then entries are read-only, with mmap_lock held for reading, while TLBs may still let stores through. False if the range is not mapped.
    /// </summary>
    public virtual async Proc<bool> MwriteprotectRange(Cpu cpu, Mm mm, int first, int count, bool enable)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        bool isMapped = (await Kernel.MmapLock.FindVma(cpu, mm)).Covers(first, count);
        if (isMapped)
        {
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            await Kernel.Mprotect.ChangeProtection(
                tlb, first, count, enable ? ProtectionChange.UserfaultProtect : ProtectionChange.UserfaultResolve);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        return isMapped;
    }

    /// <summary>
    /// fs/userfaultfd.c: <c>handle_userfault</c>. Entered with the lock of the table that has the entry, small or huge, which it drops: whoever
    /// lifts the protection comes later and wakes it. The access is then tried again. The kernel also drops mmap_lock.
    /// </summary>
    public virtual async Proc HandleUserfault(Cpu cpu, Mm mm, PageTable table)
    {
        ulong seen = await cpu.Load(mm.UserfaultWakeups);
        if (table.Level == 0)
        {
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        }
        else
        {
            await cpu.SpinUnlock(Machine.Paging.LockOf(table.Index));
        }

        await cpu.WaitEvent(mm.UserfaultWakeups, Condition.NotEqual, seen);
    }
}
