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
            int frame = (int)await cpu.Load(file.Pages[index]) - 1;
            if (frame < 0 || await cpu.FrameTryGet(frame) == 0)
            {
                continue;
            }

            await Kernel.Filemap.FolioLock(cpu, frame);
            FolioMapping mapping = await Kernel.Rmap.FolioMappingOf(cpu, frame);
            if (mapping == FolioMapping.Of(file, index))
            {
                await Kernel.Writeback.FolioWaitWriteback(cpu, frame);
                if (await Kernel.Rmap.FolioMapped(cpu, frame))
                {
                    await UnmapMappingRange(cpu, file, index, 1);
                }

                await Kernel.Filemap.FolioTestClearDirty(cpu, frame);
                await Kernel.Filemap.FilemapRemoveFolio(cpu, frame, mapping);
                await Kernel.Filemap.FolioPut(cpu, frame);
            }

            await Kernel.Filemap.FolioUnlock(cpu, frame);
            await Kernel.Filemap.FolioPut(cpu, frame);
        }
    }
}
