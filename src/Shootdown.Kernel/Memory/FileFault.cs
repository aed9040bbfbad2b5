using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Page faults on mappings of files (mm/memory.c).</summary>
/// <remarks>
/// The folio lock is held from before the page is found to be in the file until it is mapped: truncation and writeback
/// wait for it. Memory of a driver is never faulted in again (SIGBUS).
/// </remarks>
public class FileFault(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/memory.c: <c>do_fault</c>: <c>do_read_fault</c>, <c>do_shared_fault</c> or <c>do_cow_fault</c>. Entered without the table's
    /// lock; false means SIGBUS.
    /// </summary>
    public virtual async Proc<bool> DoFault(Cpu cpu, FileArea area, int page, bool write)
    {
        if (area.Kind == FileAreaKind.PfnMap)
        {
            return false;
        }

        if (write && area.Kind == FileAreaKind.Private)
        {
            return await DoCowFault(cpu, area, page);
        }

        int frame = await Kernel.Filemap.FilemapFault(cpu, area.File, area.IndexOf(page), page);
        if (frame < 0)
        {
            return false;
        }

        if (Kernel.Options.HugeFiles)
        {
            await MapFolio(cpu, area, page, frame, write);
            return true;
        }

        if (write)
        {
            await DoPageMkwrite(cpu, frame);
        }

        bool mapped = await FinishFault(cpu, area, page, Kernel.PteOps.MkWritable(frame, write, write));
        await Kernel.Filemap.FolioUnlock(cpu, frame);
        if (!mapped)
        {
            await Kernel.Filemap.FolioPut(cpu, frame);
        }

        return true;
    }

    /// <summary>
    /// mm/memory.c: <c>finish_fault</c> where folios may be huge: what the fault has locked is mapped by one entry if nothing is mapped there yet,
    /// else by a small one; tables are made only then.
    /// </summary>
    [KernelName("finish_fault")]
    protected virtual async Proc MapFolio(Cpu cpu, FileArea area, int page, int frame, bool write)
    {
        ArgumentNullException.ThrowIfNull(area);
        bool large = await Kernel.CompoundFolios.FolioTestLarge(cpu, frame);
        int folio = large ? await Kernel.CompoundFolios.CompoundHead(cpu, frame) : frame;
        if (write)
        {
            await DoPageMkwrite(cpu, folio);
        }

        bool keeps = !large;
        if (!large || !await Kernel.HugeMemory.PmdNone(cpu, area.Mm, page) || !await Kernel.HugeMemory.DoSetPmd(cpu, area, page, folio, write))
        {
            await Kernel.PageWalk.PteAlloc(cpu, area.Mm, page);
            if (large)
            {
                await cpu.AddReturn(Kernel.Folios[frame].Frame.RefCount, 1);
            }

            bool mapped = await FinishFault(cpu, area, page, Kernel.PteOps.MkWritable(frame, write, write));
            if (large && !mapped)
            {
                await Kernel.Filemap.FolioPut(cpu, frame);
            }

            keeps &= mapped;
        }

        await Kernel.Filemap.FolioUnlock(cpu, folio);
        if (!keeps)
        {
            await Kernel.Filemap.FolioPut(cpu, folio);
        }
    }

    /// <summary>mm/memory.c: <c>do_cow_fault</c>: a copy of the cached page, which belongs to this process alone.</summary>
    public virtual async Proc<bool> DoCowFault(Cpu cpu, FileArea area, int page)
    {
        int copy = await Kernel.PageFault.AllocFrame(cpu, page);
        int frame = await Kernel.Filemap.FilemapFault(cpu, area.File, area.IndexOf(page), page);
        bool mapped = false;
        if (frame >= 0)
        {
            await cpu.CopyFrame(frame, copy, "copy_mc_user_highpage");
            await cpu.Store(Kernel.Folios[copy].AnonExclusive, 1);
            bool mayWrite = await Kernel.CopyOnWrite.MaybeMkwrite(cpu, area.Mm, page);
            mapped = await FinishFault(cpu, area, page, Kernel.PteOps.MkWritable(copy, mayWrite, dirty: true));
            await Kernel.Filemap.FolioUnlock(cpu, frame);
            await Kernel.Filemap.FolioPut(cpu, frame);
        }

        if (!mapped)
        {
            await Kernel.Filemap.FolioPut(cpu, copy);
        }

        return frame >= 0;
    }

    /// <summary>
    /// mm/memory.c: <c>finish_fault</c> with <c>set_pte_range</c>: the fault's reference becomes the entry's. False if
    /// somebody else mapped something meanwhile.
    /// </summary>
    public virtual async Proc<bool> FinishFault(Cpu cpu, FileArea area, int page, Pte value)
    {
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, area.Mm, page);
        if (table.Index < 0)
        {
            return false;
        }

        bool isFree = (await cpu.EntryRead(table, page)).IsNone;
        if (isFree)
        {
            await Kernel.Rmap.FolioAddRmapPte(cpu, value.Frame);
            await Kernel.PteOps.SetPteAt(cpu, table, page, value);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        return isFree;
    }

    /// <summary>
    /// mm/memory.c: <c>do_page_mkwrite</c>, mm/filemap.c: <c>filemap_page_mkwrite</c>: with the folio lock held, the
    /// folio becomes dirty before anybody can write to it. The kernel marks it once more behind the entry
    /// (<c>fault_dirty_shared_page</c>); under the same lock that changes nothing.
    /// </summary>
    public virtual async Proc DoPageMkwrite(Cpu cpu, int frame) => await Kernel.Filemap.FolioMarkDirty(cpu, frame);

    /// <summary>
    /// mm/memory.c: <c>wp_page_shared</c>: entered with the table's lock, which it drops: page_mkwrite may sleep. The
    /// entry is looked at again afterwards (<c>finish_mkwrite_fault</c>).
    /// </summary>
    public virtual async Proc WpPageShared(Cpu cpu, FileArea area, PageTable table, int page, Pte entry)
    {
        if (area.Kind != FileAreaKind.Shared)
        {
            await Kernel.PageFault.WpPageReuse(cpu, table, page, entry);
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
            return;
        }

        int folio = Kernel.Options.HugeFiles ? await Kernel.CompoundFolios.CompoundHead(cpu, entry.Frame) : entry.Frame;
        await cpu.AddReturn(Kernel.Folios[folio].Frame.RefCount, 1);
        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        await Kernel.Filemap.FolioLock(cpu, folio);
        FolioMapping mapping = await Kernel.Rmap.FolioMappingOf(cpu, folio);
        if (!mapping.IsNone)
        {
            await DoPageMkwrite(cpu, folio);
            await FinishMkwriteFault(cpu, area, page, entry);
        }

        await Kernel.Filemap.FolioUnlock(cpu, folio);
        await Kernel.Filemap.FolioPut(cpu, folio);
    }

    /// <summary>mm/memory.c: <c>finish_mkwrite_fault</c>.</summary>
    protected virtual async Proc FinishMkwriteFault(Cpu cpu, FileArea area, int page, Pte entry)
    {
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, area.Mm, page);
        if (table.Index < 0)
        {
            return;
        }

        if (await cpu.EntryRead(table, page) == entry)
        {
            await Kernel.PageFault.WpPageReuse(cpu, table, page, entry);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
    }
}
