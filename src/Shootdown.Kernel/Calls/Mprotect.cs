using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary><c>mprotect</c> (mm/mprotect.c).</summary>
public class Mprotect(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/mprotect.c: <c>do_mprotect_pkey</c> for PROT_READ, with <c>change_protection</c>. Promises that no store to
    /// the range succeeds once it has returned. The flush comes at the end, behind the tables' locks but under
    /// mmap_lock.
    /// </summary>
    [KernelName("do_mprotect_pkey")]
    public virtual async Proc MprotectReadOnly(Cpu cpu, Mm mm, Promise promise)
    {
        await cpu.BeginPromise(promise);
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        await cpu.Store(mm.Vmas, areas.ReadOnly(promise.FirstPage, promise.PageCount).Bits);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        await ChangeProtection(tlb, promise.FirstPage, promise.PageCount);
        await Kernel.MmuGather.TlbFinishMmu(tlb);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
        await cpu.ReturnPromise(promise);
    }

    /// <summary>
    /// mm/mprotect.c: <c>do_mprotect_pkey</c> for PROT_READ | PROT_WRITE. Promises nothing; entries stay read-only
    /// until a write fault raises them.
    /// </summary>
    [KernelName("do_mprotect_pkey")]
    public virtual async Proc MprotectWritable(Cpu cpu, Mm mm, int first, int count)
    {
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        await cpu.Store(mm.Vmas, areas.Writable(first, count).Bits);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
    }

    /// <summary>mm/mprotect.c: <c>change_protection</c>: table by table.</summary>
    public virtual async Proc ChangeProtection(TlbGather tlb, int first, int count)
    {
        int span = Machine.Paging.SpanOf(1);
        for (int page = first; page < first + count; page = (page / span + 1) * span)
        {
            await ChangePteRange(tlb, page, Math.Min((page / span + 1) * span, first + count));
        }
    }

    /// <summary>
    /// mm/mprotect.c: <c>change_pte_range</c>: records only entries whose old value a TLB must not keep.
    /// </summary>
    public virtual async Proc ChangePteRange(TlbGather tlb, int first, int end)
    {
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(tlb.Cpu, tlb.Mm, first);
        if (table.Index < 0)
        {
            return;
        }

        await FlushTlbBatchedPending(tlb.Cpu, tlb.Mm);
        for (int page = first; page < end; page++)
        {
            Pte old = await tlb.Cpu.EntryRead(table, page);
            if (old.Present)
            {
                await ChangeOnePte(tlb, table, page);
            }
        }

        await Kernel.PageWalk.PteUnmapUnlock(tlb.Cpu, table);
    }

    /// <summary>
    /// The call of <c>flush_tlb_batched_pending</c> that <c>change_pte_range</c> makes once it holds the lock.
    /// </summary>
    protected virtual async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        => await Kernel.TlbBatch.FlushTlbBatchedPending(cpu, mm);

    [KernelName]
    private async Proc ChangeOnePte(TlbGather tlb, PageTable table, int page)
    {
        Pte old = await Kernel.PteOps.PtepModifyProtStart(tlb.Cpu, table, page);
        Pte value = old.Without(Pte.WriteBit);
        await Kernel.PteOps.PtepModifyProtCommit(tlb.Cpu, table, page, value);
        if (Kernel.PteOps.PteNeedsFlush(old, value))
        {
            await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 0);
        }
    }
}
