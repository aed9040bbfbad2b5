using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// NUMA hinting (mm/mempolicy.c, mm/memory.c): entries are made inaccessible so that the next access tells which node
/// uses the page; a page on the wrong node is moved (<see cref="KernelOptions.MisplacedPages"/>).
/// </summary>
public class NumaHinting(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/mempolicy.c: <c>change_prot_numa</c>, called by <c>task_numa_work</c> with mmap_lock held for reading. The
    /// flush comes when the gather ends: in between an entry is not accessible, but its predecessor may be cached.
    /// </summary>
    public virtual async Proc ChangeProtNuma(Cpu cpu, Mm mm, int first, int count)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        for (PageRange part = areas.Part(first, count); part.Count > 0; part = areas.Part(part.End, first + count - part.End))
        {
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            await Kernel.Mprotect.ChangeProtection(tlb, part.Start, part.Count, ProtectionChange.NumaHint);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
    }

    /// <summary>
    /// mm/memory.c: <c>do_numa_page</c>. Entered with the table's lock, which it drops. A page on the wrong node is
    /// moved without the lock; if that fails, or the node is right, the entry becomes accessible again.
    /// </summary>
    public virtual async Proc DoNumaPage(Cpu cpu, Mm mm, PageTable table, int page, Pte entry, bool mayWrite)
    {
        if (await MigrateMisplacedFolioPrepare(cpu, entry.Frame))
        {
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
            if (await Kernel.Migrate.MigratePages(cpu, entry.Frame, true))
            {
                return;
            }

            table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
            if (table.Index < 0)
            {
                return;
            }

            if (await cpu.EntryRead(table, page) != entry)
            {
                await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
                return;
            }
        }

        await NumaRebuildSingleMapping(cpu, table, page, mayWrite);
        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
    }

    /// <summary>
    /// mm/migrate.c: <c>migrate_misplaced_folio_prepare</c>: true if the page is to move; it is isolated then. Under
    /// the table's lock, so there is something to refer to.
    /// </summary>
    public virtual async Proc<bool> MigrateMisplacedFolioPrepare(Cpu cpu, int frame)
        => Kernel.Options.MisplacedPages
            && (!Kernel.Options.MixedNodes || await cpu.Choose(2, "whether the page is on the wrong node") == 1)
            && await Kernel.Reclaim.FolioIsolateLru(cpu, frame);

    /// <summary>mm/memory.c: <c>numa_rebuild_single_mapping</c>.</summary>
    public virtual async Proc NumaRebuildSingleMapping(Cpu cpu, PageTable table, int page, bool mayWrite)
    {
        Pte old = await Kernel.PteOps.PtepModifyProtStart(cpu, table, page);
        Pte value = old.With(Pte.PresentBit).Without(Pte.ProtNoneBit);
        bool writable = mayWrite && await Kernel.Mprotect.CanChangePteWritable(cpu, value);
        await Kernel.PteOps.PtepModifyProtCommit(cpu, table, page, writable ? value.With(Pte.WriteBit) : value);
    }
}
