using System.Numerics;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Freeing of page tables (mm/memory.c, mm/mmu_gather.c), in two builds. Without RCU freeing they are queued like
/// pages and freed behind the flush, whose IPIs wait for walkers with interrupts off. With it, they are freed after a
/// grace period; if no memory for the queue can be had, one by one behind an IPI to everybody. All three invalidate
/// first.
/// </summary>
public class PageTableFree : Mechanism
{
    private readonly int _sync;
    private readonly int _callback;

    /// <summary>Registers the cross-call and the RCU callback, where the build has them.</summary>
    public PageTableFree(KernelModel kernel)
        : base(kernel)
    {
        if (kernel.Options.RcuTableFree)
        {
            _sync = Machine.Interrupts.RegisterFunction("tlb_remove_table_smp_sync", TlbRemoveTableSmpSync);
            _callback = Machine.Rcu.RegisterCallback(TlbRemoveTableRcu);
        }
    }

    /// <summary>
    /// mm/memory.c: <c>free_pgtables</c>: unhooks every table of the range below which no area is left, lowest level
    /// first.
    /// </summary>
    /// <param name="tlb">The gather; it flushes and frees.</param>
    /// <param name="first">First page.</param>
    /// <param name="count">Number of pages.</param>
    /// <param name="remaining">The areas that are left; nobody can add one while the caller holds mmap_lock.</param>
    public virtual async Proc FreePgtables(TlbGather tlb, int first, int count, VmAreas remaining)
    {
        await Kernel.Rmap.UnlinkAnonVmas(tlb.Cpu, tlb.Mm, first, count);
        await Kernel.Rmap.UnlinkFileVmas(tlb.Cpu, tlb.Mm, remaining);
        await FreePgdRange(tlb, first, count, remaining);
    }

    /// <summary>mm/memory.c: <c>free_pgd_range</c>: the tables of the range below which no area is left; nobody knows the areas any more.</summary>
    /// <param name="tlb">The gather; it flushes and frees.</param>
    /// <param name="first">First page.</param>
    /// <param name="count">Number of pages.</param>
    /// <param name="remaining">The areas that are left.</param>
    public virtual async Proc FreePgdRange(TlbGather tlb, int first, int count, VmAreas remaining)
    {
        for (int level = 1; level < Machine.Paging.Levels; level++)
        {
            int span = Machine.Paging.SpanOf(level);
            for (int page = first / span * span; page < first + count; page += span)
            {
                if (!remaining.Touches(page, span))
                {
                    // free_pmd_range(), free_pud_range(): a table is recorded at the beginning of its span, wherever the range begins.
                    await FreePteRange(tlb, page, level);
                }
            }
        }
    }

    /// <summary>
    /// mm/memory.c: <c>free_pte_range</c>: unhooks one table with a plain store and hands it to the gather.
    /// </summary>
    /// <param name="tlb">The gather.</param>
    /// <param name="page">First page that the table maps.</param>
    /// <param name="level">Level of the entry that points to the table.</param>
    public virtual async Proc FreePteRange(TlbGather tlb, int page, int level)
    {
        PageTable above = await Kernel.PageWalk.TableAt(tlb.Cpu, tlb.Mm, page, level);
        if (above.Index < 0)
        {
            return;
        }

        Pte entry = await tlb.Cpu.EntryRead(above, page, "pmdp_get");
        if (entry.Present && !entry.Huge)
        {
            await tlb.Cpu.EntryStore(above, page, Pte.None, "pmd_clear");
            await PteFreeTlb(tlb, page, level, entry.Frame);
        }
    }

    /// <summary>
    /// include/asm-generic/tlb.h: <c>pte_free_tlb</c> and its kin for higher levels: an unhooked table is recorded
    /// and handed over. A PAE machine caches the entries of its top level until CR3 is written.
    /// </summary>
    public virtual async Proc PteFreeTlb(TlbGather tlb, int page, int level, int table)
    {
        if (Machine.Options.StickyTopLevel && level == Machine.Paging.Levels - 1)
        {
            await Kernel.MmuGather.NeedFlushAll(tlb);
        }

        await Kernel.MmuGather.TlbRemoveTableEntry(tlb, page, level);
        await TlbRemoveTable(tlb, table);
    }

    /// <summary>mm/mmu_gather.c: <c>tlb_remove_table</c>; without RCU freeing <c>tlb_remove_page</c>.</summary>
    public virtual async Proc TlbRemoveTable(TlbGather tlb, int table)
    {
        if (tlb.Words.Batch is { } batch)
        {
            batch.Tables.Add(table);
            return;
        }

        ulong queued = await tlb.Cpu.Load(tlb.Words.Tables);
        if (queued == 0 && Kernel.Options is { RcuTableFree: true, TableBatchMayFail: true }
            && await tlb.Cpu.Choose(2, "whether a page for the table batch can be had") == 1)
        {
            await TlbTableInvalidate(tlb);
            await TlbRemoveTableOne(tlb.Cpu, table);
            return;
        }

        await tlb.Cpu.Store(tlb.Words.Tables, queued | (1UL << table));
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_remove_table_one</c>: no batch, so the IPI that lockless walks wait for. Where tables go away under live
    /// areas (PT_RECLAIM, 6.14), walks that are not lockless may be under way too, and only RCU waits for these.
    /// </summary>
    public virtual async Proc TlbRemoveTableOne(Cpu cpu, int table)
    {
        if (Kernel.Options.PtReclaim)
        {
            await cpu.CallRcu(_callback, 1UL << table);
            return;
        }

        await TlbRemoveTableSyncOne(cpu);
        await cpu.FreeTable(table, "__tlb_remove_table");
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_table_flush</c>. The invalidation comes before the grace period starts: hardware
    /// walkers do not take part in RCU.
    /// </summary>
    public virtual async Proc TlbTableFlush(TlbGather tlb)
    {
        if (tlb.Words.Batch is { Tables.Count: > 0 } batch)
        {
            await FreeTableBatch(tlb, batch);
            return;
        }

        ulong tables = await tlb.Cpu.Load(tlb.Words.Tables);
        if (tables == 0)
        {
            return;
        }

        if (Kernel.Options.RcuTableFree)
        {
            await TlbTableInvalidate(tlb);
        }

        await TlbTableFree(tlb.Cpu, tables);
        await tlb.Cpu.Store(tlb.Words.Tables, 0);
    }

    /// <summary>mm/mmu_gather.c: <c>tlb_remove_table_free</c>: frees tables that no walk cache knows any more, as the build has it.</summary>
    [KernelName("tlb_remove_table_free")]
    public virtual async Proc TlbTableFree(Cpu cpu, ulong tables)
    {
        if (Kernel.Options.RcuTableFree)
        {
            await cpu.CallRcu(_callback, tables);
        }
        else
        {
            await FreeTables(cpu, tables);
        }
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_table_invalidate</c>. A grace period, or an empty IPI, says nothing to hardware: what
    /// walk caches hold of the table must go before either of them.
    /// </summary>
    public virtual async Proc TlbTableInvalidate(TlbGather tlb) => await Kernel.MmuGather.TlbFlushMmuTlbonly(tlb);

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_remove_table_sync_one</c>: an empty IPI to all CPUs. No grace period, but enough for
    /// software walkers that rely on interrupts being off.
    /// </summary>
    public virtual async Proc TlbRemoveTableSyncOne(Cpu cpu)
    {
        CpuSet others = Machine.AllCpus.Without(cpu);
        if (Kernel.Options.RcuTableFree && !others.IsEmpty)
        {
            await cpu.SendIpi(others, _sync);
            await cpu.AwaitIpiAcknowledgements();
        }
    }

    /// <summary>mm/mmu_gather.c: <c>tlb_remove_table_rcu</c>: the grace period is over.</summary>
    protected virtual async Proc TlbRemoveTableRcu(Cpu cpu, ulong tables) => await FreeTables(cpu, tables);

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_table_flush</c> on a machine of real size. A grace period passes without costing the CPU
    /// anything, and nobody walks the tables in software meanwhile.
    /// </summary>
    private async Proc FreeTableBatch(TlbGather tlb, GatherBatch batch)
    {
        await TlbTableInvalidate(tlb);
        for (int i = 0; i < batch.Tables.Count; i++)
        {
            await tlb.Cpu.FreeTable(batch.Tables[i], "__tlb_remove_table");
        }

        batch.Tables.Clear();
    }

    /// <summary>mm/mmu_gather.c: <c>__tlb_remove_table_free</c>.</summary>
    [KernelName("__tlb_remove_table_free")]
    protected virtual async Proc FreeTables(Cpu cpu, ulong tables)
    {
        for (ulong rest = tables; rest != 0; rest &= rest - 1)
        {
            await cpu.FreeTable(BitOperations.TrailingZeroCount(rest), "__tlb_remove_table");
        }
    }

    /// <summary>
    /// mm/mmu_gather.c: <c>tlb_remove_table_smp_sync</c>: being interrupted is all that is asked for.
    /// </summary>
    private static async Proc TlbRemoveTableSmpSync(Cpu cpu, Cpu sender)
    {
    }
}
