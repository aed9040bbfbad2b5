using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Writeback of files (mm/page-writeback.c, mm/rmap.c). Before a page's contents go to disk, all entries that map it are
/// made clean and read-only: the next store faults and marks the page dirty again.
/// </summary>
public class Writeback(KernelModel kernel) : RmapWalker(kernel)
{
    /// <summary>mm/page-writeback.c: <c>write_cache_pages</c>: writes the cached pages of a range that are dirty.</summary>
    public virtual async Proc WriteCachePages(Cpu cpu, FileMapping file, int first, int count)
    {
        for (int index = first; index < first + count; index++)
        {
            int frame = (int)await cpu.Load(file.Pages[index]) - 1;
            if (frame >= 0 && Kernel.Options.HugeFiles)
            {
                index = await WriteMaybeHuge(cpu, file, index, frame);
                continue;
            }

            if (frame >= 0 && await cpu.FrameTryGet(frame) != 0)
            {
                await WriteFolio(cpu, FolioMapping.Of(file, index), frame);
                await Kernel.Filemap.FolioPut(cpu, frame);
            }
        }
    }

    /// <summary>The body of the loop where folios may be huge: a huge one is written as a whole. Returns the last page that it covers.</summary>
    [KernelName("write_cache_pages")]
    private async Proc<int> WriteMaybeHuge(Cpu cpu, FileMapping file, int index, int frame)
    {
        int folio = await Kernel.CompoundFolios.FilemapGetEntry(cpu, file.Pages[index], frame);
        if (folio < 0)
        {
            return index;
        }

        bool large = await Kernel.CompoundFolios.FolioTestLarge(cpu, folio);
        int first = index + folio - frame;
        await WriteFolio(cpu, FolioMapping.Of(file, first), folio);
        await Kernel.Filemap.FolioPut(cpu, folio);
        return large ? first + Machine.Paging.SpanOf(1) - 1 : index;
    }

    /// <summary>
    /// mm/page-writeback.c: the body of the loop of <c>write_cache_pages</c> and a writepage: the folio lock is held
    /// until IO has begun.
    /// </summary>
    public virtual async Proc WriteFolio(Cpu cpu, FolioMapping mapping, int frame)
    {
        await Kernel.Filemap.FolioLock(cpu, frame);
        await FolioWaitWriteback(cpu, frame);
        bool writes = await cpu.Load(Kernel.Folios[frame].Mapping) == mapping.Bits
            && await FolioClearDirtyForIo(cpu, frame);
        if (!writes)
        {
            await Kernel.Filemap.FolioUnlock(cpu, frame);
            return;
        }

        await cpu.Store(Kernel.Folios[frame].Writeback, 1);
        await Kernel.Filemap.FolioUnlock(cpu, frame);
        FrameSet frames = Kernel.Options.HugeFiles ? await Kernel.CompoundFolios.FramesOf(cpu, frame) : FrameSet.Of(frame);
        for (FrameSet rest = frames; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            ulong contents = await cpu.WriteFrame(rest.First, "submit_bio");
            if (Kernel.Options.SwapData)
            {
                await cpu.Store(Kernel.Files[mapping.File].Disk[mapping.Index + rest.First - frame], contents);
            }
        }

        await cpu.Store(Kernel.Folios[frame].Writeback, 0);
    }

    /// <summary>mm/page-writeback.c: <c>folio_wait_writeback</c>.</summary>
    public virtual async Proc FolioWaitWriteback(Cpu cpu, int frame)
        => await cpu.WaitEvent(Kernel.Folios[frame].Writeback, Condition.Equal, 0);

    /// <summary>
    /// mm/page-writeback.c: <c>folio_clear_dirty_for_io</c>, with the folio lock held: true if there is something to
    /// write. Entries are cleaned first; what they knew moves to the folio, and only then its flag is cleared.
    /// </summary>
    public virtual async Proc<bool> FolioClearDirtyForIo(Cpu cpu, int frame)
    {
        if (await FolioMkclean(cpu, frame))
        {
            await Kernel.Filemap.FolioMarkDirty(cpu, frame);
        }

        return await Kernel.Filemap.FolioTestClearDirty(cpu, frame);
    }

    /// <summary>
    /// mm/rmap.c: <c>folio_mkclean</c>: true if an entry was dirty or writable. A folio that is not mapped is not looked
    /// for; that test takes no lock.
    /// </summary>
    public virtual async Proc<bool> FolioMkclean(Cpu cpu, int frame)
        => await Kernel.Rmap.FolioMapped(cpu, frame) && await Kernel.Rmap.RmapWalk(cpu, frame, this, 0) != 0;

    /// <inheritdoc/>
    public override bool NotifiesSecondaries => true;

    /// <inheritdoc/>
    public override async Proc<ulong> RmapOne(Cpu cpu, Mm mm, PageTable table, int page, Pte entry, ulong argument)
        => await PageMkcleanOne(cpu, mm, table, page, entry) ? 1UL : 0;

    /// <inheritdoc/>
    public override bool SplitsHugePmd => false;

    /// <inheritdoc/>
    public override async Proc<ulong> RmapOnePmd(Cpu cpu, Mm mm, PageTable pmd, int page, Pte entry, ulong argument)
        => await Kernel.HugeMemory.PageMkcleanPmd(cpu, mm, pmd, page, entry) ? 1UL : 0;

    /// <summary>mm/rmap.c: <c>page_vma_mkclean_one</c>.</summary>
    public virtual async Proc<bool> PageMkcleanOne(Cpu cpu, Mm mm, PageTable table, int page, Pte entry)
    {
        if (!entry.Dirty && !entry.Write)
        {
            return false;
        }

        Pte old = await Kernel.PteOps.PtepClearFlush(cpu, mm, table, page);
        await Kernel.PteOps.SetPteAt(cpu, table, page, old.Without(Pte.WriteBit | Pte.DirtyBit));
        return true;
    }
}
