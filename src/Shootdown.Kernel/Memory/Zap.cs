using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Removal of mappings (mm/memory.c): what munmap, madvise and truncation share.</summary>
public class Zap(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/memory.c: <c>unmap_vmas</c>, <c>zap_page_range_single</c>: area by area, between the start and the end of an
    /// invalidation by notifiers.
    /// </summary>
    public virtual async Proc UnmapVmas(TlbGather tlb, int first, int count)
    {
        if (tlb.Mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(tlb.Cpu, tlb.Mm, first, count);
        }

        int page = first;
        while (page < first + count)
        {
            int end = tlb.Mm.EndOfArea(page, first + count);

            await UnmapPageRange(tlb, page, end, tlb.Mm.FileAreaOf(page));
            page = end;
        }

        if (tlb.Mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(tlb.Cpu, tlb.Mm, first, count);
        }
    }

    /// <summary>mm/memory.c: <c>unmap_page_range</c>: table by table. Null is an anonymous area.</summary>
    public virtual async Proc UnmapPageRange(TlbGather tlb, int first, int end, FileArea? area)
    {
        await Kernel.MmuGather.TlbStartVma(tlb, area);
        int span = Machine.Paging.SpanOf(1);
        for (int page = first; page < end; page = (page / span + 1) * span)
        {
            int next = Math.Min((page / span + 1) * span, end);
            if (!Kernel.Options.Thp || !await Kernel.HugeMemory.ZapPmd(tlb, page, next))
            {
                await ZapPteRange(tlb, page, next);
            }
        }

        await Kernel.MmuGather.TlbEndVma(tlb);
    }

    /// <summary>
    /// mm/memory.c: <c>zap_pte_range</c>. If the gather is full, or a dirty page of a file was removed, the flush comes
    /// before the table's lock is dropped, and behind it the rmaps that were delayed; what was queued is freed behind
    /// the lock. Only a full gather interrupts the loop. At the end 6.14 may free the table (<see cref="PtReclaim"/>).
    /// </summary>
    public virtual async Proc ZapPteRange(TlbGather tlb, int first, int end)
    {
        bool reclaims = await Kernel.PtReclaim.ReclaimPtIsEnabled(tlb, first, end);
        bool direct = true;
        int unhooked = -1;
        int page = first;
        while (page < end)
        {
            PageTable table = await Kernel.PageWalk.PteOffsetMapLock(tlb.Cpu, tlb.Mm, page);
            if (table.Index < 0)
            {
                return;
            }

            await FlushTlbBatchedPending(tlb.Cpu, tlb.Mm);
            ZapResult result = ZapResult.None;
            while (page < end && (result & ZapResult.ForceBreak) == 0)
            {
                result |= await ZapOnePte(tlb, table, page);
                page++;
            }

            direct = direct && Kernel.PtReclaim.MayReclaimDirectly(result);
            if (reclaims && direct && page == end)
            {
                unhooked = await Kernel.PtReclaim.TryGetAndClearPmd(tlb.Cpu, tlb.Mm, first);
            }

            if (result != ZapResult.None)
            {
                await FlushUnderLock(tlb);
            }

            await Kernel.PageWalk.PteUnmapUnlock(tlb.Cpu, table);
            if (result != ZapResult.None)
            {
                await Kernel.MmuGather.TlbFlushMmu(tlb);
            }
        }

        if (reclaims)
        {
            await Kernel.PtReclaim.ReclaimPt(tlb, first, unhooked);
        }
    }

    /// <summary>
    /// The call of <c>flush_tlb_batched_pending</c> that <c>zap_pte_range</c> makes once it holds the lock.
    /// </summary>
    protected virtual async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        => await Kernel.TlbBatch.FlushTlbBatchedPending(cpu, mm);

    /// <summary>The flush of <c>zap_pte_range</c> that comes before the table's lock is dropped.</summary>
    protected virtual async Proc FlushUnderLock(TlbGather tlb)
    {
        await Kernel.MmuGather.TlbFlushMmuTlbonly(tlb);
        await Kernel.MmuGather.TlbFlushRmaps(tlb);
    }

    /// <summary>
    /// mm/memory.c: the body of the loop of <c>zap_pte_range</c>. A swap entry cannot be cached, so a plain store
    /// clears it and nothing is recorded. Memory of a driver has no folio (<c>vm_normal_page</c>).
    /// </summary>
    [KernelName]
    protected virtual async Proc<ZapResult> ZapOnePte(TlbGather tlb, PageTable table, int page)
    {
        Pte entry = await tlb.Cpu.EntryRead(table, page);
        if (entry.IsNone)
        {
            return ZapResult.None;
        }

        if (!entry.MapsFrame)
        {
            await Kernel.PteOps.PteClear(tlb.Cpu, table, page);
            return ZapResult.None;
        }

        if (Kernel.FolioKinds.IsFile(tlb.Mm, page, entry.Frame))
        {
            return await ZapPresentFilePte(tlb, table, page);
        }

        FileAreaKind? kind = tlb.Mm.FileAreaOf(page)?.Kind;
        entry = await Kernel.PteOps.PtepGetAndClear(tlb.Cpu, table, page);
        await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 0);
        return kind == FileAreaKind.PfnMap ? ZapResult.None : await ZapAnonFolio(tlb, entry.Frame);
    }

    /// <summary>
    /// mm/memory.c: <c>zap_present_folio_ptes</c> for anonymous memory: the entry's reference goes into the gather.
    /// </summary>
    protected virtual async Proc<ZapResult> ZapAnonFolio(TlbGather tlb, int frame)
    {
        if (Kernel.IsZeroFrame(frame))
        {
            return ZapResult.None;
        }

        if (Kernel.Options.AnonFolios)
        {
            await Kernel.Rmap.FolioRemoveRmapPte(tlb.Cpu, frame);
        }

        return await Kernel.MmuGather.TlbRemovePage(tlb, frame, false)
            ? ZapResult.ForceFlush | ZapResult.ForceBreak : ZapResult.None;
    }

    /// <summary>
    /// mm/memory.c: <c>zap_present_folio_ptes</c> for a page of a file. The dirty bit moves to the folio. A CPU may go
    /// on storing through a TLB entry that is dirty already, and nothing would tell: so a dirty page is flushed under
    /// the lock, where page_mkclean waits, and counts as mapped until then (<see cref="DelaysRmap"/>), so that
    /// page_mkclean does wait. 6.1 removes the rmap here.
    /// </summary>
    protected virtual async Proc<ZapResult> ZapPresentFilePte(TlbGather tlb, PageTable table, int page)
    {
        Pte entry = await Kernel.PteOps.PtepGetAndClear(tlb.Cpu, table, page);
        ZapResult result = ZapResult.None;
        bool delayRmap = false;
        if (entry.Dirty)
        {
            await Kernel.Filemap.FolioMarkDirty(tlb.Cpu, entry.Frame);
            result = ForcesFlushForDirty ? ZapResult.ForceFlush : ZapResult.None;
            delayRmap = DelaysRmap;
        }

        await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 0);
        if (!delayRmap)
        {
            await Kernel.Rmap.FolioRemoveRmapPte(tlb.Cpu, entry.Frame);
        }

        return await Kernel.MmuGather.TlbRemovePage(tlb, entry.Frame, delayRmap)
            ? ZapResult.ForceFlush | ZapResult.ForceBreak : result;
    }

    /// <summary>True if a dirty page of a file is flushed before the table's lock is dropped (since 2014).</summary>
    protected virtual bool ForcesFlushForDirty => true;

    /// <summary>
    /// include/asm-generic/tlb.h: <c>tlb_delay_rmap</c>: true if the rmap of a dirty page of a file is removed behind
    /// the flush (since 6.2).
    /// </summary>
    protected virtual bool DelaysRmap => true;
}

/// <summary>What the removal of one entry asks for.</summary>
[Flags]
public enum ZapResult
{
    /// <summary>Nothing: the flush may come later.</summary>
    None = 0,

    /// <summary><c>force_flush</c>: flush before the table's lock is dropped.</summary>
    ForceFlush = 1,

    /// <summary><c>force_break</c>: the gather is full; go no further.</summary>
    ForceBreak = 2,
}
