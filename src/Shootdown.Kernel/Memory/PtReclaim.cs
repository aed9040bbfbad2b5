using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Freeing of page tables that MADV_DONTNEED leaves empty (mm/pt_reclaim.c, since 6.14). If the table's lock was held
/// all the time, the table is known to be empty and is unhooked under it; if not, all entries are looked at again.
/// </summary>
public class PtReclaim(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>mm/memory.c: <c>reclaim_pt_is_enabled</c>: asked for, and the range covers a whole table.</summary>
    public virtual async Proc<bool> ReclaimPtIsEnabled(TlbGather tlb, int first, int end)
        => Kernel.Options.PtReclaim && Machine.Paging.Levels > 1 && end - first == Machine.Paging.SpanOf(1)
            && (await tlb.Cpu.Load(tlb.Words.Flags) & GatherWords.ReclaimPt) != 0;

    /// <summary>
    /// mm/memory.c: <c>direct_reclaim</c> of <c>zap_pte_range</c>: false once the loop was interrupted: others may fill
    /// entries while the lock is dropped.
    /// </summary>
    public virtual bool MayReclaimDirectly(ZapResult result) => (result & ZapResult.ForceBreak) == 0;

    /// <summary>
    /// mm/pt_reclaim.c: <c>try_get_and_clear_pmd</c>: unhooks the table, with its lock held; -1 if the lock of the table
    /// above is taken. Only tried: elsewhere that lock is taken first.
    /// </summary>
    public virtual async Proc<int> TryGetAndClearPmd(Cpu cpu, Mm mm, int page)
    {
        PageTable above = await Kernel.PageWalk.TableAt(cpu, mm, page, 1);
        if (await cpu.SpinTrylock(Machine.Paging.LockOf(above.Index)) != 0)
        {
            return -1;
        }

        int table = await GetAndClearPmd(cpu, above, page);
        await cpu.SpinUnlock(Machine.Paging.LockOf(above.Index));
        return table;
    }

    /// <summary>The end of <c>zap_pte_range</c>: frees what was unhooked, or tries again more carefully.</summary>
    public virtual async Proc ReclaimPt(TlbGather tlb, int page, int unhooked)
    {
        if (unhooked >= 0)
        {
            await FreePte(tlb, page, unhooked);
        }
        else
        {
            await TryToFreePte(tlb, page);
        }
    }

    /// <summary>
    /// mm/pt_reclaim.c: <c>try_to_free_pte</c>: under both locks, lower one last, the table must still be there and every
    /// entry must be none.
    /// </summary>
    public virtual async Proc TryToFreePte(TlbGather tlb, int page)
    {
        PageTable above = await Kernel.PageWalk.TableAt(tlb.Cpu, tlb.Mm, page, 1);
        await tlb.Cpu.SpinLock(Machine.Paging.LockOf(above.Index));
        Pte entry = await tlb.Cpu.EntryRead(above, page, "pmdp_get");
        int unhooked = -1;
        if (entry.Present && !entry.Huge)
        {
            var table = new PageTable(entry.Frame, 0, page);
            await tlb.Cpu.SpinLock(Machine.Paging.LockOf(table.Index));
            if (await IsEmpty(tlb.Cpu, table))
            {
                unhooked = await GetAndClearPmd(tlb.Cpu, above, page);
            }

            await tlb.Cpu.SpinUnlock(Machine.Paging.LockOf(table.Index));
        }

        await tlb.Cpu.SpinUnlock(Machine.Paging.LockOf(above.Index));
        if (unhooked >= 0)
        {
            await FreePte(tlb, page, unhooked);
        }
    }

    /// <summary>
    /// mm/pt_reclaim.c: <c>free_pte</c>: hands the table to the gather. Whatever it still maps is lost: a leaked page for
    /// the kernel, lost data for the process.
    /// </summary>
    public virtual async Proc FreePte(TlbGather tlb, int page, int table)
    {
        bool isEmpty = await IsEmpty(tlb.Cpu, new PageTable(table, 0, page));
        await tlb.Cpu.Assert(isEmpty, "a page table is empty when it is freed");
        await Kernel.MmuGather.TlbRemoveTableEntry(tlb, page, 1);
        await Kernel.PageTableFree.TlbRemoveTable(tlb, table);
    }

    /// <summary>True if no entry of the table is used.</summary>
    protected virtual async Proc<bool> IsEmpty(Cpu cpu, PageTable table)
    {
        for (int i = 0; i < Machine.Paging.EntriesPerTable; i++)
        {
            if (!(await cpu.EntryRead(table, table.BasePage + i)).IsNone)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>mm/pt_reclaim.c: <c>try_get_and_clear_pmd</c>, the clearing: returns the table.</summary>
    protected virtual async Proc<int> GetAndClearPmd(Cpu cpu, PageTable above, int page)
    {
        Pte entry = await cpu.EntryRead(above, page, "pmdp_get");
        await cpu.EntryStore(above, page, Pte.None, "pmd_clear");
        return entry.Frame;
    }
}
