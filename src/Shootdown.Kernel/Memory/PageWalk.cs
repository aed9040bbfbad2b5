using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Finding, locking and making page tables (mm/pgtable-generic.c, mm/memory.c).</summary>
public class PageWalk(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>What a walk returns that finds no table.</summary>
    public static PageTable NoTable => new(-1, 0, 0);

    private int Levels => Machine.Paging.Levels;

    /// <summary>The top-level table of an address space.</summary>
    public PageTable Root(Mm mm) => new(mm.Space.RootTable, Levels - 1, 0);

    /// <summary>
    /// mm/pgtable-generic.c: <c>pte_offset_map_lock</c>. Finds the page's leaf table and takes its lock; <see
    /// cref="NoTable"/> if there is none. Under the lock the way to the table is looked at again (since 6.5): it may
    /// have been unhooked meanwhile. Until <see cref="PteUnmapUnlock"/> the table is not freed, hooked in or not: the walk is an RCU read section,
    /// where tables are freed behind grace periods; elsewhere who frees them keeps walks away.
    /// </summary>
    public virtual async Proc<PageTable> PteOffsetMapLock(Cpu cpu, Mm mm, int page)
    {
        while (true)
        {
            if (Machine.Options.GracePeriods)
            {
                await cpu.RcuReadLock();
            }

            PageTable table = await TableAt(cpu, mm, page, 0);
            if (table.Index < 0)
            {
                if (Machine.Options.GracePeriods)
                {
                    await cpu.RcuReadUnlock();
                }

                if (Kernel.Options.HugeCollapse && !Kernel.HugeMemory.MapsFile(mm, page) && await SplitHugePmd(cpu, mm, page))
                {
                    continue;
                }

                return table;
            }

            await cpu.SpinLock(Machine.Paging.LockOf(table.Index));
            if (Levels == 1)
            {
                return table;
            }

            PageTable again = await TableAt(cpu, mm, page, 0);
            if (again == table)
            {
                return table;
            }

            await PteUnmapUnlock(cpu, table);
        }
    }

    /// <summary>
    /// include/linux/huge_mm.h: <c>split_huge_pmd</c>: who needs small entries and finds a huge one splits it: mprotect, mremap, walks from
    /// a page to its entries. True if the page has a table now: also if somebody else split it between the walk and this look, when the
    /// walk met the entry invalid.
    /// </summary>
    protected virtual async Proc<bool> SplitHugePmd(Cpu cpu, Mm mm, int page)
    {
        PageTable pmd = await TableAt(cpu, mm, page, 1);
        Pte entry = pmd.Index < 0 ? Pte.None : await cpu.EntryRead(pmd, page, "pmdp_get");
        if (!entry.Huge)
        {
            return entry.Present;
        }

        int span = Machine.Paging.SpanOf(1);
        await Kernel.HugeMemory.SplitHugePmd(cpu, mm, page / span * span);
        return true;
    }

    /// <summary>include/linux/mm.h: <c>pte_unmap_unlock</c>.</summary>
    public virtual async Proc PteUnmapUnlock(Cpu cpu, PageTable table)
    {
        await cpu.SpinUnlock(Machine.Paging.LockOf(table.Index));
        if (Machine.Options.GracePeriods)
        {
            await cpu.RcuReadUnlock();
        }
    }

    /// <summary>
    /// The table of a level on the way to a page, without a lock; <see cref="NoTable"/> if there is none.
    /// </summary>
    [KernelName]
    public virtual async Proc<PageTable> TableAt(Cpu cpu, Mm mm, int page, int level)
    {
        PageTable table = Root(mm);
        while (table.Level > level)
        {
            Pte entry = await cpu.EntryRead(table, page, "pmdp_get");
            if (!entry.Present || entry.Huge)
            {
                return NoTable;
            }

            table = Below(table, entry, page);
        }

        return table;
    }

    /// <summary>
    /// mm/memory.c: <c>__pte_alloc</c> and its kin: makes the tables on the way to a page that are missing. Each is
    /// hooked in under the lock of the table above, unless someone else was faster. <see cref="NoTable"/> if a huge
    /// page is mapped there.
    /// </summary>
    public virtual async Proc<PageTable> PteAlloc(Cpu cpu, Mm mm, int page) => await TableAlloc(cpu, mm, page, 0);

    /// <summary>
    /// mm/memory.c: <c>__pmd_alloc</c> and its kin: as <see cref="PteAlloc"/>, down to the table of a level.
    /// </summary>
    [KernelName]
    public virtual async Proc<PageTable> TableAlloc(Cpu cpu, Mm mm, int page, int level)
    {
        PageTable table = Root(mm);
        while (table.Level > level)
        {
            Pte entry = await cpu.EntryRead(table, page, "pmdp_get");
            if (entry.IsNone)
            {
                entry = await PmdInstall(cpu, mm, table, page);
            }

            if (!entry.Present || entry.Huge)
            {
                return NoTable;
            }

            table = Below(table, entry, page);
        }

        return table;
    }

    /// <summary>
    /// mm/memory.c: <c>pmd_install</c>. The new table's entries must be visible before the entry that points to it
    /// (<c>smp_wmb</c>); x86 keeps stores in order.
    /// </summary>
    public virtual async Proc<Pte> PmdInstall(Cpu cpu, Mm mm, PageTable table, int page)
    {
        int made = await cpu.AllocTable(mm.Space, table.Level - 1, page);
        await cpu.Assert(made >= 0, "a page-table page is free");
        await cpu.SpinLock(Machine.Paging.LockOf(table.Index));
        Pte entry = await cpu.EntryRead(table, page, "pmdp_get");
        if (entry.IsNone)
        {
            await cpu.EntryStore(table, page, Pte.Table(made), "pmd_populate");
        }

        await cpu.SpinUnlock(Machine.Paging.LockOf(table.Index));
        if (!entry.IsNone)
        {
            await cpu.FreeTable(made, "pte_free");
            return entry;
        }

        return Pte.Table(made);
    }

    /// <summary>The table that an entry points to.</summary>
    public PageTable Below(PageTable table, Pte entry, int page)
        => new(entry.Frame, table.Level - 1, Machine.Paging.BaseOf(page, table.Level));
}
