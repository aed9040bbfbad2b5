using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Removal of a whole page table from under live page tables, as khugepaged does it before it maps a huge page
/// (mm/khugepaged.c, mm/pgtable-generic.c): no gather, one range flush, the table freed after a grace period.
/// </summary>
public class PmdCollapse : Mechanism
{
    private readonly int _callback;

    /// <summary>Registers the RCU callback, where the machine has grace periods.</summary>
    public PmdCollapse(KernelModel kernel)
        : base(kernel)
    {
        if (Machine.Options.GracePeriods)
        {
            _callback = Machine.Rcu.RegisterCallback(PteFreeNow);
        }
    }

    /// <summary>
    /// mm/khugepaged.c: <c>collapse_pte_mapped_thp</c>, from where the entries are known to map the parts of one huge
    /// page of a file: they are cleared without a flush, because that of the PMD covers them, and the page cache goes
    /// on holding what they mapped. The caller keeps faults and other changes of the range away (mmap_lock, i_mmap).
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="page">Any page of the table.</param>
    public virtual async Proc CollapsePteMappedThp(Cpu cpu, Mm mm, int page)
    {
        int first = page / Machine.Paging.SpanOf(1) * Machine.Paging.SpanOf(1);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, first, Machine.Paging.SpanOf(1));
        }

        int removed = await CollapseTable(cpu, mm, page);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, first, Machine.Paging.SpanOf(1));
        }

        if (removed >= 0)
        {
            await PteFreeDefer(cpu, removed);
        }
    }

    /// <summary>mm/khugepaged.c: the locked part of <c>collapse_pte_mapped_thp</c>: the table that was removed, or -1.</summary>
    [KernelName("collapse_pte_mapped_thp")]
    protected virtual async Proc<int> CollapseTable(Cpu cpu, Mm mm, int page)
    {
        PageTable above = await Kernel.PageWalk.TableAt(cpu, mm, page, 1);
        if (Kernel.Options.HugeCollapse && (await cpu.EntryRead(above, page, "pmdp_get")).Huge)
        {
            return -1;
        }

        await cpu.SpinLock(Machine.Paging.LockOf(above.Index));
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        if (table.Index < 0)
        {
            await cpu.SpinUnlock(Machine.Paging.LockOf(above.Index));
            return -1;
        }

        for (int each = table.BasePage; each < table.BasePage + Machine.Paging.SpanOf(1); each++)
        {
            await cpu.EntryExchange(table, each, Pte.None, "ptep_clear");
        }

        Pte old = await PmdpCollapseFlush(cpu, mm, above, page);
        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        await cpu.SpinUnlock(Machine.Paging.LockOf(above.Index));
        return old.Frame;
    }

    /// <summary>
    /// mm/pgtable-generic.c: <c>pmdp_collapse_flush</c>: clears the entry that points to a table, and flushes the
    /// range with all that walk caches hold of it.
    /// </summary>
    public virtual async Proc<Pte> PmdpCollapseFlush(Cpu cpu, Mm mm, PageTable above, int page)
    {
        Pte old = await cpu.EntryExchange(above, page, Pte.None, "pmdp_huge_get_and_clear");
        int span = Machine.Paging.SpanOf(1);
        await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(page / span * span, span));
        return old;
    }

    /// <summary>
    /// mm/pgtable-generic.c: <c>pte_free_defer</c>: for walkers in software that rely on RCU (since 6.6; before, an
    /// IPI to all CPUs stood here).
    /// </summary>
    public virtual async Proc PteFreeDefer(Cpu cpu, int table) => await cpu.CallRcu(_callback, (ulong)table);

    /// <summary>mm/pgtable-generic.c: <c>pte_free_now</c>: the grace period is over.</summary>
    protected virtual async Proc PteFreeNow(Cpu cpu, ulong table)
        => await cpu.FreeTable((int)table, "pte_free_now");
}
