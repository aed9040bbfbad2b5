using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Reclaim of anonymous pages (mm/vmscan.c, mm/rmap.c): unmap, write to swap, flush, free.</summary>
public class Reclaim(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/vmscan.c: <c>shrink_folio_list</c>. With batching, pages whose entries were clean share one flush at the
    /// end; a dirty one is flushed before it is written out, or a store through a stale entry could follow the write
    /// and be lost.
    /// </summary>
    /// <param name="cpu">The CPU that reclaims.</param>
    /// <param name="mm">The address space whose pages are at the end of the list.</param>
    /// <param name="first">First page.</param>
    /// <param name="count">Number of pages.</param>
    /// <param name="batch">True for <c>TTU_BATCH_FLUSH</c>.</param>
    public virtual async Proc ShrinkFolioList(Cpu cpu, Mm mm, int first, int count, bool batch)
    {
        ulong reclaimed = 0;
        for (int page = first; page < first + count; page++)
        {
            Pte old = await TryToUnmap(cpu, mm, page, batch);
            if (!old.Present)
            {
                continue;
            }

            reclaimed |= 1UL << old.Frame;
            if (old.Dirty || Kernel.Options.SwapData)
            {
                await Kernel.TlbBatch.TryToUnmapFlushDirty(cpu);
                await Pageout(cpu, mm, page, old.Frame);
            }
        }

        await Kernel.TlbBatch.TryToUnmapFlush(cpu);
        if (reclaimed != 0)
        {
            await cpu.ReclaimFrames(reclaimed, "free_unref_folios");
        }
    }

    /// <summary>
    /// mm/rmap.c: <c>try_to_unmap</c>: returns the entry that was cleared; none if the page was not mapped any more.
    /// </summary>
    public virtual async Proc<Pte> TryToUnmap(Cpu cpu, Mm mm, int page, bool batch)
    {
        Pte old = Pte.None;
        if (await Kernel.Rmap.RmapWalkStart(cpu, mm, page))
        {
            old = await TryToUnmapOne(cpu, mm, page, batch);
        }

        await Kernel.Rmap.RmapWalkEnd(cpu, mm);
        return old;
    }

    /// <summary>
    /// mm/rmap.c: <c>try_to_unmap_one</c>. If the flush is deferred, a CPU may go on using the page through its TLB;
    /// the batch remembers it and tlb_flush_batched tells others, both before the table's lock is dropped.
    /// </summary>
    public virtual async Proc<Pte> TryToUnmapOne(Cpu cpu, Mm mm, int page, bool batch)
    {
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        if (table.Index < 0)
        {
            return Pte.None;
        }

        Pte old = await cpu.EntryRead(table, page);
        if (old.Present)
        {
            if (batch && await Kernel.TlbBatch.ShouldDeferFlush(cpu, mm))
            {
                old = await Kernel.PteOps.PtepGetAndClear(cpu, table, page);
                await Kernel.TlbBatch.SetTlbUbcFlushPending(cpu, mm, old);
            }
            else
            {
                old = await Kernel.PteOps.PtepClearFlush(cpu, mm, table, page);
            }

            await Kernel.PteOps.SetPteAt(cpu, table, page, Pte.Swap(page));
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        return old;
    }

    /// <summary>mm/vmscan.c: <c>pageout</c>: the page's contents go to its swap slot.</summary>
    public virtual async Proc Pageout(Cpu cpu, Mm mm, int page, int frame)
    {
        ulong contents = await cpu.WriteFrame(frame);
        if (Kernel.Options.SwapData)
        {
            await cpu.Store(mm.SwapSlots[page], contents);
        }
    }
}
