using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>The page cache (mm/filemap.c, mm/page-writeback.c).</summary>
public class Filemap(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>include/linux/pagemap.h: <c>folio_lock</c>.</summary>
    public virtual async Proc FolioLock(Cpu cpu, int frame) => await cpu.MutexLock(Kernel.Folios[frame].Lock);

    /// <summary>mm/filemap.c: <c>folio_unlock</c>.</summary>
    public virtual async Proc FolioUnlock(Cpu cpu, int frame) => await cpu.MutexUnlock(Kernel.Folios[frame].Lock);

    /// <summary>mm/page-writeback.c: <c>folio_mark_dirty</c>: sets the flag atomically.</summary>
    public virtual async Proc FolioMarkDirty(Cpu cpu, int frame)
    {
        frame = Kernel.Options.HugeFiles ? await Kernel.CompoundFolios.CompoundHead(cpu, frame) : frame;
        await cpu.FetchOr(Kernel.Folios[frame].Frame.Dirty, 1, StepWeight.Key, $"folio_mark_dirty(frame {frame})");
    }

    /// <summary>mm/page-writeback.c: <c>folio_test_clear_dirty</c>: false if it was clean.</summary>
    public virtual async Proc<bool> FolioTestClearDirty(Cpu cpu, int frame)
        => await cpu.Exchange(
            Kernel.Folios[frame].Frame.Dirty, 0, StepWeight.Key, $"folio_test_clear_dirty(frame {frame})") != 0;

    /// <summary>
    /// mm/filemap.c: <c>filemap_fault</c>: the page of the file with a reference and locked; -1 beyond the end of the
    /// file (SIGBUS). Reads it in if it is not cached. Of a huge folio the first frame is referred to and locked.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="file">The file.</param>
    /// <param name="index">The page of the file.</param>
    /// <param name="page">The virtual page, whose frames are of the right colour.</param>
    public virtual async Proc<int> FilemapFault(Cpu cpu, FileMapping file, int index, int page)
    {
        while (true)
        {
            if (file.IsTruncated && await cpu.Load(file.Size) <= (ulong)index)
            {
                return -1;
            }

            ulong cached = await cpu.Load(file.Pages[index]);
            int frame = (int)cached - 1;
            if (cached == 0)
            {
                frame = await FilemapAddFolio(cpu, file, index, page);
                if (frame >= 0)
                {
                    return frame;
                }
            }
            else if (Kernel.Options.HugeFiles)
            {
                int folio = await Kernel.CompoundFolios.FilemapGetEntry(cpu, file.Pages[index], frame);
                if (folio >= 0 && await LockIfCached(cpu, folio, frame, FolioMapping.Of(file, index)))
                {
                    return frame;
                }
            }
            else if (await cpu.FrameTryGet(frame) != 0)
            {
                await FolioLock(cpu, frame);
                if (await cpu.Load(Kernel.Folios[frame].Mapping) == FolioMapping.Of(file, index).Bits)
                {
                    return frame;
                }

                await FolioUnlock(cpu, frame);
                await FolioPut(cpu, frame);
            }
        }
    }

    /// <summary>
    /// mm/filemap.c: <c>lock_folio_maybe_drop_mmap</c> of <c>filemap_fault</c>, and the look whether the folio was truncated: if so the reference is
    /// dropped.
    /// </summary>
    [KernelName("filemap_fault")]
    private async Proc<bool> LockIfCached(Cpu cpu, int folio, int frame, FolioMapping mapping)
    {
        await FolioLock(cpu, folio);
        if (await cpu.Load(Kernel.Folios[frame].Mapping) == mapping.Bits)
        {
            return true;
        }

        await FolioUnlock(cpu, folio);
        await FolioPut(cpu, folio);
        return false;
    }

    /// <summary>
    /// mm/filemap.c: <c>filemap_add_folio</c>, with the read from disk, which is done before others can see the folio
    /// (in the kernel they see it, but wait for its lock). One reference for the cache and one for the caller; -1 if
    /// somebody else was faster.
    /// </summary>
    public virtual async Proc<int> FilemapAddFolio(Cpu cpu, FileMapping file, int index, int page)
    {
        int frame = await cpu.AllocFrame(page);
        await cpu.Assert(frame >= 0, "a page is free");
        if (frame < 0)
        {
            return frame;
        }

        if (Kernel.Options.HugeFiles)
        {
            await Kernel.CompoundFolios.PrepNewPage(cpu, frame);
        }

        Folio folio = Kernel.Folios[frame];
        await FolioLock(cpu, frame);
        Machine.Timed?.ReadIn(cpu, frame);
        if (Kernel.Options.SwapData)
        {
            await cpu.Store(folio.Frame.Content, await cpu.Load(file.Disk[index]));
        }

        await cpu.AddReturn(folio.Frame.RefCount, 1);
        await cpu.Store(folio.Mapping, FolioMapping.Of(file, index).Bits);
        if (await cpu.CompareExchange(file.Pages[index], 0, (ulong)frame + 1) == 0)
        {
            return frame;
        }

        await cpu.Store(folio.Mapping, 0);
        await FolioUnlock(cpu, frame);
        await FolioPut(cpu, frame);
        await FolioPut(cpu, frame);
        return -1;
    }

    /// <summary>
    /// mm/filemap.c: <c>__filemap_remove_folio</c>: the folio lock is held. The cache's reference is left to the caller.
    /// </summary>
    public virtual async Proc FilemapRemoveFolio(Cpu cpu, int frame, FolioMapping mapping)
    {
        await cpu.Store(Kernel.Files[mapping.File].Pages[mapping.Index], 0, weight: StepWeight.Key);
        await cpu.Store(Kernel.Folios[frame].Mapping, 0);
    }

    /// <summary>include/linux/mm.h: <c>folio_put</c>.</summary>
    public virtual async Proc FolioPut(Cpu cpu, int frame) => await cpu.PutFrames(FrameSet.Of(frame), "folio_put");
}
