using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Soft-dirty tracking (fs/proc/task_mmu.c): who wants to know which pages are written from now on takes the right to
/// write away and lets write faults take notes. Needs <see cref="KernelOptions.SoftDirty"/>.
/// </summary>
public class ClearRefs(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// fs/proc/task_mmu.c: <c>clear_refs_write</c> for 4 (soft-dirty). Promises that every store to the range faults
    /// once it has returned. Its own count in tlb_flush_pending and its own flush: there is no gather, and a gather
    /// would have nothing recorded.
    /// </summary>
    public virtual async Proc ClearRefsWrite(Cpu cpu, Mm mm, Promise promise)
    {
        await cpu.BeginPromise(promise);
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        await cpu.AddReturn(mm.TlbFlushPending, 1);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, promise.FirstPage, promise.PageCount);
        }

        await WalkPageRange(cpu, mm, promise.FirstPage, promise.PageCount);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, promise.FirstPage, promise.PageCount);
        }

        await Kernel.TlbFlush.FlushTlbMm(cpu, mm);
        await cpu.AddReturn(mm.TlbFlushPending, -1);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
        await cpu.ReturnPromise(promise);
    }

    /// <summary>
    /// fs/proc/task_mmu.c: <c>clear_refs_write</c> for 1 (all pages): entries lose the accessed bit, with mmap_lock for
    /// reading and without a flush: who is looked at next may look unused for too long, no more.
    /// </summary>
    public virtual async Proc ClearRefsYoung(Cpu cpu, Mm mm, int first, int count)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        for (PageRange part = areas.Part(first, count); part.Count > 0; part = areas.Part(part.End, first + count - part.End))
        {
            await ClearYoung(cpu, mm, part);
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
    }

    [KernelName]
    private async Proc ClearYoung(Cpu cpu, Mm mm, PageRange range)
    {
        int span = Machine.Paging.SpanOf(1);
        for (int page = range.Start; page < range.End; page++)
        {
            await Kernel.HugeMemory.SplitFileHugePmdIfAny(cpu, mm, page);
            PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
            if (table.Index < 0)
            {
                page = ((page / span + 1) * span) - 1;
                continue;
            }

            if ((await cpu.EntryRead(table, page)).MapsFrame)
            {
                await cpu.EntryClearBits(table, page, Pte.AccessedBit, "ptep_test_and_clear_young");
            }

            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        }
    }

    /// <summary>mm/pagewalk.c: <c>walk_page_range</c>: table by table.</summary>
    public virtual async Proc WalkPageRange(Cpu cpu, Mm mm, int first, int count)
    {
        int span = Machine.Paging.SpanOf(1);
        for (int page = first; page < first + count; page = (page / span + 1) * span)
        {
            await ClearRefsPteRange(cpu, mm, page, Math.Min((page / span + 1) * span, first + count));
        }
    }

    /// <summary>fs/proc/task_mmu.c: <c>clear_refs_pte_range</c>.</summary>
    public virtual async Proc ClearRefsPteRange(Cpu cpu, Mm mm, int first, int end)
    {
        await Kernel.HugeMemory.SplitFileHugePmdIfAny(cpu, mm, first);
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, first);
        if (table.Index < 0)
        {
            return;
        }

        for (int page = first; page < end; page++)
        {
            await ClearSoftDirty(cpu, table, page);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
    }

    /// <summary>
    /// fs/proc/task_mmu.c: <c>clear_soft_dirty</c>. Also entries that are not present lose the mark, and the entry of a migration the right to
    /// write, which Linux leaves it: <c>remove_migration_pte</c> would make the page writable again, unmarked (scenario <c>clear-refs-migration</c>).
    /// </summary>
    public virtual async Proc ClearSoftDirty(Cpu cpu, PageTable table, int page)
    {
        Pte entry = await cpu.EntryRead(table, page);
        if (entry.MapsFrame)
        {
            Pte old = await Kernel.PteOps.PtepModifyProtStart(cpu, table, page);
            Pte value = old.Without(Pte.WriteBit | Pte.SoftDirtyBit);
            await Kernel.PteOps.PtepModifyProtCommit(cpu, table, page, value);
        }
        else if (SwpClearSoftDirty(entry) != entry)
        {
            await Kernel.PteOps.SetPteAt(cpu, table, page, SwpClearSoftDirty(entry));
        }
    }

    /// <summary>The entry without the mark: <c>pte_swp_clear_soft_dirty</c>, and <c>make_readable_migration_entry</c>.</summary>
    protected virtual Pte SwpClearSoftDirty(Pte entry) => entry.Without(Pte.SoftDirtyBit | (entry.IsMigration ? Pte.WriteBit : 0));
}
