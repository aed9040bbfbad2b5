using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Truncation of files (mm/truncate.c), and the removal of all mappings of a range (mm/memory.c).</summary>
public class Truncate(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/memory.c: <c>unmap_mapping_range</c>: for every area that is linked, zap and flush. When it returns nobody
    /// reaches the range of the file any more; drivers rely on that, because their memory has no reference counts.
    /// </summary>
    public virtual async Proc UnmapMappingRange(Cpu cpu, FileMapping file, int first, int count)
    {
        ulong linked = await Kernel.Rmap.IMmapLockRead(cpu, file);
        for (int i = 0; i < file.Areas.Count; i++)
        {
            FileArea area = file.Areas[i];
            int start = Math.Max(first, area.Offset);
            int end = Math.Min(first + count, area.Offset + area.Count);
            if ((linked & area.Bit) != 0 && start < end)
            {
                await ZapPageRangeSingle(cpu, area.Mm, area.PageOf(start), end - start);
            }
        }

        await Kernel.Rmap.IMmapUnlockRead(cpu, file);
    }

    /// <summary>mm/memory.c: <c>zap_page_range_single</c>: a gather of its own.</summary>
    public virtual async Proc ZapPageRangeSingle(Cpu cpu, Mm mm, int first, int count)
    {
        await Kernel.LruLists.LruAddDrain(cpu);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        await Kernel.Zap.UnmapVmas(tlb, first, count);
        await Kernel.MmuGather.TlbFinishMmu(tlb);
    }

    /// <summary>
    /// mm/truncate.c: <c>truncate_setsize</c>: first the size, so that no fault maps more; then the mappings, then the
    /// page cache.
    /// </summary>
    public virtual async Proc TruncateSetsize(Cpu cpu, FileMapping file, int newPages)
    {
        await cpu.Store(file.Size, (ulong)newPages, weight: StepWeight.Key);
        await cpu.FullBarrier();
        await UnmapMappingRange(cpu, file, newPages, file.PageCount - newPages);
        await TruncateInodePages(cpu, file, newPages);
        await UnmapMappingRange(cpu, file, newPages, file.PageCount - newPages);
    }

    /// <summary>
    /// mm/truncate.c: <c>truncate_inode_pages</c>: drops pages from the cache, dirty or not. A folio that a fault mapped
    /// meanwhile is unmapped again under its lock (<c>truncate_cleanup_folio</c>).
    /// </summary>
    public virtual async Proc TruncateInodePages(Cpu cpu, FileMapping file, int first)
    {
        for (int index = first; index < file.PageCount; index++)
        {
            if (Kernel.Options.HugeFiles)
            {
                await TruncateMaybeHuge(cpu, file, first, index);
                continue;
            }

            int frame = (int)await cpu.Load(file.Pages[index]) - 1;
            if (frame < 0 || await cpu.FrameTryGet(frame) == 0)
            {
                continue;
            }

            await Kernel.Filemap.FolioLock(cpu, frame);
            FolioMapping mapping = await Kernel.Rmap.FolioMappingOf(cpu, frame);
            if (mapping == FolioMapping.Of(file, index))
            {
                await TruncateInodeFolio(cpu, file, index, FrameSet.Of(frame));
            }

            await Kernel.Filemap.FolioUnlock(cpu, frame);
            await Kernel.Filemap.FolioPut(cpu, frame);
        }
    }

    /// <summary>mm/truncate.c: <c>truncate_inode_folio</c>: the folio, which is locked, leaves all mappings and the page cache.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="file">The file.</param>
    /// <param name="index">The first page of the file that the folio holds.</param>
    /// <param name="frames">Its frames.</param>
    [KernelName]
    protected virtual async Proc TruncateInodeFolio(Cpu cpu, FileMapping file, int index, FrameSet frames)
    {
        int folio = frames.First;
        await Kernel.Writeback.FolioWaitWriteback(cpu, folio);
        if (await Kernel.Rmap.FolioMapped(cpu, folio))
        {
            await UnmapMappingRange(cpu, file, index, frames.Count);
        }

        await Kernel.Filemap.FolioTestClearDirty(cpu, folio);
        for (FrameSet rest = frames; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            await Kernel.Filemap.FilemapRemoveFolio(cpu, rest.First, FolioMapping.Of(file, index + rest.First - folio));
        }

        await cpu.PutFrames(frames, "folio_put");
    }

    /// <summary>
    /// mm/truncate.c: the body of the loop of <c>truncate_inode_pages_range</c> where folios may be huge. One that begins before the end of the file is
    /// split (<c>truncate_inode_partial_folio</c>), and the rest of it goes as small folios; if somebody else refers to it, it stays as it is, with
    /// nothing but zeroes behind the end.
    /// </summary>
    [KernelName("truncate_inode_pages")]
    private async Proc TruncateMaybeHuge(Cpu cpu, FileMapping file, int first, int index)
    {
        bool done = false;
        while (!done)
        {
            int frame = (int)await cpu.Load(file.Pages[index]) - 1;
            int folio = frame < 0 ? -1 : await Kernel.CompoundFolios.FilemapGetEntry(cpu, file.Pages[index], frame);
            if (folio >= 0)
            {
                await Kernel.Filemap.FolioLock(cpu, folio);
                bool cached = await cpu.Load(Kernel.Folios[frame].Mapping) == FolioMapping.Of(file, index).Bits;
                done = cached && await TruncateCached(cpu, file, first, index, frame);
                await Kernel.Filemap.FolioUnlock(cpu, folio);
                await Kernel.Filemap.FolioPut(cpu, folio);
            }

            done |= frame < 0;
        }
    }

    /// <summary>The folio is locked and in the cache: false if it was split, and a part of it is left to truncate.</summary>
    [KernelName("truncate_inode_pages")]
    private async Proc<bool> TruncateCached(Cpu cpu, FileMapping file, int first, int index, int frame)
    {
        FrameSet frames = await Kernel.CompoundFolios.FramesOf(cpu, frame);
        int begin = index + frames.First - frame;
        if (begin >= first)
        {
            await TruncateInodeFolio(cpu, file, begin, frames);
            return true;
        }

        await Kernel.Writeback.FolioWaitWriteback(cpu, frames.First);
        return !await Kernel.CompoundFolios.SplitFolio(cpu, frames.First);
    }
}
