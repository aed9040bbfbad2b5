using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary><c>move_pages</c> (mm/migrate.c): pages of a process go to another NUMA node.</summary>
public class MovePages(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>The node that pages are allocated on.</summary>
    public const int LocalNode = 0;

    /// <summary>Another node.</summary>
    public const int RemoteNode = 1;

    /// <summary>
    /// mm/migrate.c: <c>do_pages_move</c>. A page that is not mapped, that is on the node already, or that somebody is freeing, stays.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="first">First page.</param>
    /// <param name="count">Pages.</param>
    /// <param name="node">Where they go.</param>
    public virtual async Proc DoPagesMove(Cpu cpu, Mm mm, int first, int count, int node = RemoteNode)
    {
        FrameSet list = Kernel.NewFrameSet();
        for (int page = first; page < first + count; page++)
        {
            int frame = await AddFolioForMigration(cpu, mm, page, node);
            list = frame < 0 ? list : list.With(frame);
        }

        if (!list.IsEmpty)
        {
            await Kernel.Migrate.MigratePagesBatch(cpu, list);
        }
    }

    /// <summary>mm/migrate.c: <c>add_folio_for_migration</c>: isolates the page that is mapped there; -1 if there is none to be had.</summary>
    public virtual async Proc<int> AddFolioForMigration(Cpu cpu, Mm mm, int page, int node)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        bool isMapped = (await Kernel.MmapLock.FindVma(cpu, mm)).Covers(page, 1);
        PageTable table = isMapped ? await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page) : PageWalk.NoTable;
        int frame = -1;
        if (table.Index >= 0)
        {
            Pte entry = await cpu.EntryRead(table, page);
            bool isElsewhere = entry.MapsFrame && FolioNid(entry.Frame) != node;
            frame = isElsewhere && await Kernel.Reclaim.FolioIsolateLru(cpu, entry.Frame) ? entry.Frame : -1;
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        return frame;
    }

    /// <summary>include/linux/mm.h: <c>folio_nid</c>. The library does not follow pages that have moved.</summary>
    protected virtual int FolioNid(int frame) => LocalNode;
}
