using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// <c>mremap</c> (mm/mremap.c): moves anonymous pages to another place of the address space. Needs <see
/// cref="KernelOptions.AnonMoves"/>.
/// </summary>
public class Mremap(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/mremap.c: <c>move_vma</c> with <c>move_page_tables</c>. Promises that nobody reaches the pages at their old
    /// addresses once it has returned. mmap_lock is held for writing, but those who come to the pages through the
    /// rmap (reclaim, truncation) hold only the tables' locks.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="promise">The old range.</param>
    /// <param name="newFirst">
    /// First page of the new range, which is not mapped and does not touch the old one. It may lie before it.
    /// </param>
    public virtual async Proc MoveVma(Cpu cpu, Mm mm, Promise promise, int newFirst)
    {
        if ((Math.Abs(newFirst - promise.FirstPage) < promise.PageCount && Machine.Timed is null) || !Kernel.Options.AnonMoves)
        {
            throw new ProcRuleException(
                $"mremap of {promise.PageCount} pages from page {promise.FirstPage} to {newFirst}: the new range must not touch the old one, and "
                + "moves need KernelOptions.AnonMoves");
        }

        await cpu.BeginPromise(promise);
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        await Kernel.MmapLock.StoreVmas(cpu, mm, areas.Moved(promise.FirstPage, newFirst, promise.PageCount));
        await Kernel.Rmap.AnonVmaClone(cpu, mm, newFirst, promise.PageCount);
        await MovePageTables(cpu, mm, promise.FirstPage, newFirst, promise.PageCount);
        if (Kernel.Options.MremapTables)
        {
            await UnmapOld(cpu, mm, promise.FirstPage, promise.PageCount);
        }
        else
        {
            await Kernel.Rmap.UnlinkAnonVmas(cpu, mm, promise.FirstPage, promise.PageCount);
        }

        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
        await cpu.ReturnPromise(promise);
    }

    /// <summary>mm/mremap.c: <c>move_page_tables</c>: as much at a time as one table holds at both places.</summary>
    public virtual async Proc MovePageTables(Cpu cpu, Mm mm, int oldFirst, int newFirst, int count)
    {
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, oldFirst, count);
        }

        int span = Machine.Paging.SpanOf(1);
        int moved = 0;
        while (moved < count)
        {
            int extent = Math.Min(span - ((oldFirst + moved) % span), span - ((newFirst + moved) % span));
            extent = Math.Min(extent, count - moved);
            if (mm.Areas is not null && (await Kernel.PageWalk.TableAt(cpu, mm, oldFirst + moved, 0)).Index < 0)
            {
                // get_old_pmd(): nothing is mapped below, and no table is made at the new place.
                moved += extent;
                continue;
            }

            if (extent < span || !Kernel.Options.MremapTables || !await MovePgtEntry(cpu, mm, oldFirst + moved, newFirst + moved))
            {
                await Kernel.PageWalk.PteAlloc(cpu, mm, newFirst + moved);
                await MovePtes(cpu, mm, oldFirst + moved, newFirst + moved, extent);
            }

            moved += extent;
        }

        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, oldFirst, count);
        }
    }

    /// <summary>
    /// mm/mremap.c: <c>move_pgt_entry</c> for NORMAL_PMD. The rmap locks are taken whatever the direction (97113eb39fa7, 5.14): a walk from a
    /// page to its entries may have found the table at its old place and hold its lock, which nobody takes here. It would flush the old
    /// address and free a page that by then is cached at the new one.
    /// </summary>
    public virtual async Proc<bool> MovePgtEntry(Cpu cpu, Mm mm, int oldFirst, int newFirst)
    {
        await TakeRmapLocks(cpu, mm);
        bool moved = await MoveNormalPmd(cpu, mm, oldFirst, newFirst);
        await DropRmapLocks(cpu, mm);
        return moved;
    }

    /// <summary>
    /// mm/mremap.c: <c>move_normal_pmd</c>: a whole table changes its place; false if there is none, or one at the new
    /// place. The locks of the tables above are held until the flush: who comes to the new place behind them finds nothing cached at the old.
    /// </summary>
    public virtual async Proc<bool> MoveNormalPmd(Cpu cpu, Mm mm, int oldFirst, int newFirst)
    {
        PageTable from = await Kernel.PageWalk.TableAt(cpu, mm, oldFirst, 1);
        await Kernel.PageWalk.TableAlloc(cpu, mm, newFirst, 1);
        PageTable to = await Kernel.PageWalk.TableAt(cpu, mm, newFirst, 1);
        if (from.Index < 0 || to.Index < 0 || !(await cpu.EntryRead(to, newFirst, "pmdp_get")).IsNone)
        {
            return false;
        }

        await cpu.SpinLock(Machine.Paging.LockOf(from.Index));
        if (to.Index != from.Index)
        {
            await cpu.SpinLock(Machine.Paging.LockOf(to.Index));
        }

        Pte entry = await cpu.EntryRead(from, oldFirst, "pmdp_get");
        bool moves = entry.Present && !entry.Huge;
        if (moves)
        {
            await cpu.EntryStore(from, oldFirst, Pte.None, "pmd_clear");
            await cpu.EntryStore(to, newFirst, entry, "pmd_populate");
            await FlushMovedTable(cpu, mm, PageRange.Of(oldFirst, Machine.Paging.SpanOf(1)));
        }

        if (to.Index != from.Index)
        {
            await cpu.SpinUnlock(Machine.Paging.LockOf(to.Index));
        }

        await cpu.SpinUnlock(Machine.Paging.LockOf(from.Index));
        return moves;
    }

    /// <summary>The flush of <c>move_normal_pmd</c>: the old addresses, and what walk caches hold of the table there.</summary>
    protected virtual async Proc FlushMovedTable(Cpu cpu, Mm mm, PageRange old) => await Kernel.TlbFlush.FlushTlbRange(cpu, mm, old);

    /// <summary>
    /// mm/mremap.c: the <c>do_vmi_munmap</c> at the end of <c>move_vma</c>: the old range has no pages left, but it has
    /// tables.
    /// </summary>
    protected virtual async Proc UnmapOld(Cpu cpu, Mm mm, int first, int count)
    {
        VmAreas remaining = await Kernel.MmapLock.FindVma(cpu, mm);
        await Kernel.LruLists.LruAddDrain(cpu);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        await Kernel.Zap.UnmapVmas(tlb, first, count);
        await Kernel.PageTableFree.FreePgtables(tlb, first, count, remaining);
        await Kernel.MmuGather.TlbFinishMmu(tlb);
    }

    /// <summary>
    /// mm/mremap.c: <c>move_ptes</c>. Both tables' locks are held until the old range is flushed: whoever finds the
    /// page through its new entry takes the new table's lock, flushes only the new address, and may free the page.
    /// </summary>
    /// <remarks>
    /// Walks from a page to its entries go upwards, here in the order of addresses, in the kernel in that of the anon_vma's tree: a move
    /// upwards they meet at the old place or at the new one. A move downwards can pass them by; then the rmap locks are taken.
    /// </remarks>
    public virtual async Proc MovePtes(Cpu cpu, Mm mm, int oldFirst, int newFirst, int count)
    {
        if (NeedsRmapLocks(oldFirst, newFirst))
        {
            await TakeRmapLocks(cpu, mm);
            await MoveEntries(cpu, mm, oldFirst, newFirst, count);
            await DropRmapLocks(cpu, mm);
        }
        else
        {
            await MoveEntries(cpu, mm, oldFirst, newFirst, count);
        }
    }

    /// <summary>mm/mremap.c: <c>take_rmap_locks</c>, of anonymous memory.</summary>
    public virtual async Proc TakeRmapLocks(Cpu cpu, Mm mm) => await mm.AnonVma.LockWrite(cpu);

    /// <summary>mm/mremap.c: <c>drop_rmap_locks</c>.</summary>
    public virtual async Proc DropRmapLocks(Cpu cpu, Mm mm) => await mm.AnonVma.UnlockWrite(cpu);

    /// <summary>mm/vma.c: what <c>copy_vma</c> returns in <c>need_rmap_locks</c>.</summary>
    protected virtual bool NeedsRmapLocks(int oldFirst, int newFirst) => newFirst < oldFirst;

    /// <summary>mm/mremap.c: the rest of <c>move_ptes</c>.</summary>
    [KernelName("move_ptes")]
    protected virtual async Proc MoveEntries(Cpu cpu, Mm mm, int oldFirst, int newFirst, int count)
    {
        PageTable from = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, oldFirst);
        if (from.Index < 0)
        {
            return;
        }

        PageTable to = await Kernel.PageWalk.TableAt(cpu, mm, newFirst, 0);
        if (to.Index != from.Index)
        {
            // spin_lock_nested(): mmap_lock, held for writing, is what orders the two.
            await cpu.SpinLock(Machine.Paging.LockOf(to.Index));
        }

        await FlushTlbBatchedPending(cpu, mm);
        bool forceFlush = false;
        for (int i = 0; i < count; i++)
        {
            Pte old = await cpu.EntryRead(from, oldFirst + i);
            if (!old.IsNone)
            {
                old = await Kernel.PteOps.PtepGetAndClear(cpu, from, oldFirst + i);
                forceFlush |= NeedsFlushUnderLocks(old);
                await Kernel.PteOps.SetPteAt(cpu, to, newFirst + i, MoveSoftDirtyPte(old));
            }
        }

        if (forceFlush)
        {
            await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(oldFirst, count));
        }

        if (to.Index != from.Index)
        {
            await cpu.SpinUnlock(Machine.Paging.LockOf(to.Index));
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, from);
    }

    /// <summary>The call of <c>flush_tlb_batched_pending</c> that <c>move_ptes</c> makes once it holds the locks.</summary>
    protected virtual async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        => await Kernel.TlbBatch.FlushTlbBatchedPending(cpu, mm);

    /// <summary>True if the entry that was moved makes <c>move_ptes</c> flush before it drops the locks.</summary>
    protected virtual bool NeedsFlushUnderLocks(Pte old) => old.MapsFrame;

    /// <summary>mm/mremap.c: <c>move_soft_dirty_pte</c>: a page at a new address counts as written.</summary>
    private Pte MoveSoftDirtyPte(Pte old)
        => Kernel.Options.SoftDirty ? old.With(Pte.SoftDirtyBit) : old;
}
