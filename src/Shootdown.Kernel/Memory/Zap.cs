using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Removal of mappings (mm/memory.c): what munmap and madvise share.</summary>
public class Zap(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>mm/memory.c: <c>unmap_vmas</c>, <c>zap_page_range_single</c>: table by table.</summary>
    public virtual async Proc UnmapVmas(TlbGather tlb, int first, int count)
    {
        int span = Machine.Paging.SpanOf(1);
        for (int page = first; page < first + count; page = (page / span + 1) * span)
        {
            await ZapPteRange(tlb, page, Math.Min((page / span + 1) * span, first + count));
        }
    }

    /// <summary>
    /// mm/memory.c: <c>zap_pte_range</c>, for anonymous memory: its frame has no other user than the entry that is
    /// cleared here, so clearing the entry hands the frame to this gather. When the gather is full it flushes before
    /// the lock is dropped, frees, and goes on.
    /// </summary>
    public virtual async Proc ZapPteRange(TlbGather tlb, int first, int end)
    {
        int page = first;
        while (page < end)
        {
            PageTable table = await Kernel.PageWalk.PteOffsetMapLock(tlb.Cpu, tlb.Mm, page);
            if (table.Index < 0)
            {
                return;
            }

            await FlushTlbBatchedPending(tlb.Cpu, tlb.Mm);
            bool forceFlush = false;
            while (page < end && !forceFlush)
            {
                forceFlush = await ZapOnePte(tlb, table, page);
                page++;
            }

            if (forceFlush)
            {
                await Kernel.MmuGather.TlbFlushMmuTlbonly(tlb);
            }

            await Kernel.PageWalk.PteUnmapUnlock(tlb.Cpu, table);
            if (forceFlush)
            {
                await Kernel.MmuGather.TlbFlushMmu(tlb);
            }
        }
    }

    /// <summary>
    /// The call of <c>flush_tlb_batched_pending</c> that <c>zap_pte_range</c> makes once it holds the lock.
    /// </summary>
    protected virtual async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        => await Kernel.TlbBatch.FlushTlbBatchedPending(cpu, mm);

    /// <summary>
    /// mm/memory.c: the body of the loop of <c>zap_pte_range</c>: true if the gather is full. A swap entry cannot be
    /// cached, so a plain store clears it and nothing is recorded.
    /// </summary>
    [KernelName]
    protected virtual async Proc<bool> ZapOnePte(TlbGather tlb, PageTable table, int page)
    {
        Pte entry = await tlb.Cpu.EntryRead(table, page);
        if (entry.IsNone)
        {
            return false;
        }

        if (!entry.Present)
        {
            await Kernel.PteOps.PteClear(tlb.Cpu, table, page);
            return false;
        }

        entry = await Kernel.PteOps.PtepGetAndClear(tlb.Cpu, table, page);
        await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 0);
        return await Kernel.MmuGather.TlbRemovePage(tlb, entry.Frame);
    }
}
