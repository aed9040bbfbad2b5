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
            await Kernel.LruLists.LruAddDrain(cpu);
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

    /// <summary>
    /// mm/madvise.c: <c>madvise_free_single_vma</c>: the contents may be thrown away, until they are written again. The
    /// dirty bit tells, so it is cleared, and a TLB must not think that it is still set: hence the gather. Needs
    /// <see cref="KernelOptions.Lazyfree"/>.
    /// </summary>
    public virtual async Proc MadviseFree(Cpu cpu, Mm mm, int first, int count)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        for (PageRange part = areas.Part(first, count); part.Count > 0; part = areas.Part(part.End, first + count - part.End))
        {
            await MadviseFreeSingleVma(cpu, mm, part);
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
    }

    [KernelName]
    private async Proc MadviseFreeSingleVma(Cpu cpu, Mm mm, PageRange range)
    {
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, range.Start, range.Count);
        }

        await WalkPageRange(tlb, range.Start, range.Count, MadviseWalk.Free);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, range.Start, range.Count);
        }

        await Kernel.MmuGather.TlbFinishMmu(tlb);
    }

    /// <summary>mm/madvise.c: <c>madvise_cold</c>: the pages are to be reclaimed before others.</summary>
    public virtual async Proc MadviseCold(Cpu cpu, Mm mm, int first, int count)
        => await MadviseColdOrPageout(cpu, mm, first, count, MadviseWalk.Cold);

    /// <summary>mm/madvise.c: <c>madvise_pageout</c>: the pages are reclaimed now.</summary>
    public virtual async Proc MadvisePageout(Cpu cpu, Mm mm, int first, int count)
        => await MadviseColdOrPageout(cpu, mm, first, count, MadviseWalk.Pageout);

    /// <summary>
    /// mm/khugepaged.c: <c>madvise_collapse</c> (MADV_COLLAPSE): every huge page's worth of the range that can be had becomes one. False
    /// if some could not.
    /// </summary>
    public virtual async Proc<bool> MadviseCollapse(Cpu cpu, Mm mm, int first, int count)
    {
        int span = Machine.Paging.SpanOf(1);
        bool all = true;
        for (int page = (first + span - 1) / span * span; page + span <= first + count; page += span)
        {
            all &= await Kernel.Khugepaged.CollapseHugePage(cpu, mm, page);
        }

        return all;
    }

    /// <summary>mm/pagewalk.c: <c>walk_page_range</c>: table by table.</summary>
    protected virtual async Proc WalkPageRange(TlbGather tlb, int first, int count, MadviseWalk walk)
    {
        int span = Machine.Paging.SpanOf(1);
        for (int page = first; page < first + count; page = (page / span + 1) * span)
        {
            await WalkPteRange(tlb, page, Math.Min((page / span + 1) * span, first + count), walk);
        }
    }

    /// <summary>
    /// mm/madvise.c: <c>madvise_free_pte_range</c>, <c>madvise_cold_or_pageout_pte_range</c>. Pages that are to be
    /// reclaimed are isolated under the table's lock, and reclaimed without it.
    /// </summary>
    protected virtual async Proc WalkPteRange(TlbGather tlb, int first, int end, MadviseWalk walk)
    {
        await Kernel.HugeMemory.SplitFileHugePmdIfAny(tlb.Cpu, tlb.Mm, first);
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(tlb.Cpu, tlb.Mm, first);
        if (table.Index < 0)
        {
            return;
        }

        await FlushTlbBatchedPending(tlb.Cpu, tlb.Mm);
        FrameSet isolated = Kernel.NewFrameSet();
        for (int page = first; page < end; page++)
        {
            Pte entry = await tlb.Cpu.EntryRead(table, page);
            if (entry.MapsFrame && Kernel.IsZeroFrame(entry.Frame))
            {
                // vm_normal_folio() knows no folio of the page of zeroes.
                continue;
            }

            if (entry.MapsFrame && walk == MadviseWalk.Pageout)
            {
                if (PageoutClearsYoung)
                {
                    await ClearYoungDirtyPte(tlb, table, page, entry, Pte.AccessedBit);
                }

                isolated = await Kernel.Reclaim.FolioIsolateLru(tlb.Cpu, entry.Frame) ? isolated.With(entry.Frame) : isolated;
            }
            else if (entry.MapsFrame && walk == MadviseWalk.Cold)
            {
                await ClearYoungDirtyPte(tlb, table, page, entry, Pte.AccessedBit);
            }
            else if (walk == MadviseWalk.Free && !entry.IsNone)
            {
                await FreePte(tlb, table, page, entry);
            }
        }

        await Kernel.PageWalk.PteUnmapUnlock(tlb.Cpu, table);
        if (!isolated.IsEmpty)
        {
            await Kernel.Reclaim.ShrinkFolioList(tlb.Cpu, isolated, true, isolated: true);
        }
    }

    /// <summary>True if pages that are reclaimed at once lose their accessed bits first (before 6.8).</summary>
    protected virtual bool PageoutClearsYoung => false;

    /// <summary>
    /// The call of <c>flush_tlb_batched_pending</c> that the walkers make once they hold the lock.
    /// </summary>
    protected virtual async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        => await Kernel.TlbBatch.FlushTlbBatchedPending(cpu, mm);

    /// <summary>
    /// mm/madvise.c: the body of the loop of <c>madvise_free_pte_range</c>. What is in swap is given up at once. A page
    /// whose folio is dirty is left alone if others map it too, or if its lock is taken.
    /// </summary>
    protected virtual async Proc FreePte(TlbGather tlb, PageTable table, int page, Pte entry)
    {
        if (!entry.MapsFrame)
        {
            if (!entry.IsMigration)
            {
                await Kernel.PteOps.PteClear(tlb.Cpu, table, page);
            }

            return;
        }

        Folio folio = Kernel.Folios[entry.Frame];
        if (await tlb.Cpu.Load(folio.Frame.Dirty) != 0)
        {
            if (await tlb.Cpu.MutexTryLock(folio.Lock) == 0)
            {
                return;
            }

            bool alone = await tlb.Cpu.Load(folio.Frame.MapCount) == 1;
            if (alone)
            {
                await Kernel.Filemap.FolioTestClearDirty(tlb.Cpu, entry.Frame);
            }

            await Kernel.Filemap.FolioUnlock(tlb.Cpu, entry.Frame);
            if (!alone)
            {
                return;
            }
        }

        await ClearYoungDirtyPte(tlb, table, page, entry, Pte.AccessedBit | Pte.DirtyBit);
        await tlb.Cpu.Store(folio.Lazyfree, 1, weight: StepWeight.Key);
    }

    /// <summary>
    /// include/linux/pgtable.h: <c>clear_young_dirty_ptes</c>, if there is anything to clear. The entry is none for an
    /// instant, so that no bit is lost that hardware sets meanwhile.
    /// </summary>
    protected virtual async Proc ClearYoungDirtyPte(TlbGather tlb, PageTable table, int page, Pte entry, ulong bits)
    {
        if ((entry.Bits & bits) != 0)
        {
            Pte old = await Kernel.PteOps.PtepGetAndClear(tlb.Cpu, table, page);
            await Kernel.PteOps.SetPteAt(tlb.Cpu, table, page, old.Without(bits));
            await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 0);
        }
    }

    /// <summary>mm/madvise.c: <c>madvise_cold</c> and <c>madvise_pageout</c>.</summary>
    protected virtual async Proc MadviseColdOrPageout(Cpu cpu, Mm mm, int first, int count, MadviseWalk walk)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        for (PageRange part = areas.Part(first, count); part.Count > 0; part = areas.Part(part.End, first + count - part.End))
        {
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            await WalkPageRange(tlb, part.Start, part.Count, walk);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
    }
}

/// <summary>Which advice the walkers of <see cref="Madvise"/> carry out.</summary>
public enum MadviseWalk
{
    /// <summary>MADV_FREE.</summary>
    Free,

    /// <summary>MADV_COLD.</summary>
    Cold,

    /// <summary>MADV_PAGEOUT.</summary>
    Pageout,
}
