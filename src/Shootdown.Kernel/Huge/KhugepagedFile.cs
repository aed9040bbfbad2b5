using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Collapse of a file's small pages into a huge folio (mm/khugepaged.c, 6.1 with f268f6cf875f and 2ba99c5e0881). The pages are unmapped like those that
/// reclaim takes, and frozen; what has replaced them in the page cache is copied behind the flush. Then the page tables go that are left empty, in every
/// process, so that the next fault maps the huge folio by one entry.
/// </summary>
/// <remarks>
/// Simplified: the huge folio is allocated first; all pages of the range must be cached. A dirty page stays dirty, as with shmem; one that is being
/// written fails, as with other files. Each slot of the page cache is replaced on its own: it belongs to whoever has its page locked, so the lock
/// of the cache (<c>i_pages.xa_lock</c>) would be no step. From 6.6 on page tables are retracted with i_mmap_rwsem for reading and without mmap_lock.
/// </remarks>
public class KhugepagedFile(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>Small pages of a huge one.</summary>
    protected int Span => Machine.Paging.SpanOf(1);

    /// <summary>mm/khugepaged.c: <c>collapse_file</c>: false if some page could not be had: then all is as it was.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="file">The file.</param>
    /// <param name="start">First page of the file: a multiple of a huge page's.</param>
    /// <param name="address">The virtual page where it is mapped, whose frames are of the right colour.</param>
    public virtual async Proc<bool> CollapseFile(Cpu cpu, FileMapping file, int start, int address)
    {
        ArgumentNullException.ThrowIfNull(file);
        int huge = await cpu.AllocHugeFrames(address, Span);
        await cpu.Assert(huge >= 0, "a huge page is free");
        await Kernel.CompoundFolios.PrepCompoundPage(cpu, huge);
        await Kernel.Filemap.FolioLock(cpu, huge);
        FrameSet replaced = Kernel.NewFrameSet();
        for (int i = 0; i < Span && replaced.Count == i; i++)
        {
            await cpu.Store(Kernel.Folios[huge + i].Mapping, FolioMapping.Of(file, start + i).Bits);
            int frame = await ReplacePage(cpu, file, start + i, huge + i);
            replaced = frame < 0 ? replaced : replaced.With(frame);
        }

        // Who was unmapped but not flushed may still be written: the flush comes before the copy.
        await TryToUnmapFlush(cpu);
        bool collapsed = replaced.Count == Span;
        if (collapsed)
        {
            await CopyPages(cpu, replaced, start, huge);
            await RetractPageTables(cpu, file, start);
        }
        else
        {
            await RollBack(cpu, replaced, file, huge);
        }

        await Kernel.Filemap.FolioUnlock(cpu, huge);
        if (!collapsed)
        {
            await cpu.PutFrames(Kernel.CompoundFolios.AllFrames(huge), "folio_put");
        }

        return collapsed;
    }

    /// <summary>
    /// The loop's body in <c>collapse_file</c>: the small page is locked, unmapped, frozen and replaced: its frame; -1 if it cannot be had, or is part of
    /// a huge folio already.
    /// </summary>
    [KernelName("collapse_file")]
    protected virtual async Proc<int> ReplacePage(Cpu cpu, FileMapping file, int index, int part)
    {
        ArgumentNullException.ThrowIfNull(file);
        int frame = (int)await cpu.Load(file.Pages[index]) - 1;
        if (frame < 0 || await Kernel.CompoundFolios.FilemapGetEntry(cpu, file.Pages[index], frame) != frame)
        {
            return -1;
        }

        if (await cpu.MutexTryLock(Kernel.Folios[frame].Lock) == 0)
        {
            await Kernel.Filemap.FolioPut(cpu, frame);
            return -1;
        }

        if (await IsolatePage(cpu, file, index, frame))
        {
            // Nobody gets a reference of the page until it is unfrozen; who looks it up sees the huge folio from here on.
            await cpu.Store(file.Pages[index], (ulong)part + 1, weight: StepWeight.Key);
            return frame;
        }

        await FlushBeforeUnlock(cpu);
        await Kernel.Filemap.FolioUnlock(cpu, frame);
        await Kernel.Filemap.FolioPut(cpu, frame);
        return -1;
    }

    /// <summary>
    /// The flush of what a page that could not be had was mapped by. It comes before the page is unlocked: whoever reclaims it next finds it unmapped, and
    /// frees it without a flush.
    /// </summary>
    /// <remarks>
    /// Linux (6.1) flushes when the page is unlocked and back on its list, and asks in a comment whether a collapse that fails has to flush at all.
    /// </remarks>
    [KernelName]
    protected virtual async Proc FlushBeforeUnlock(Cpu cpu) => await Kernel.TlbBatch.TryToUnmapFlush(cpu);

    /// <summary>The tests of <c>collapse_file</c> for a page that is locked: true, and it is unmapped and frozen, if it can be had.</summary>
    [KernelName("collapse_file")]
    protected virtual async Proc<bool> IsolatePage(Cpu cpu, FileMapping file, int index, int frame)
    {
        if (await cpu.Load(Kernel.Folios[frame].Mapping) != FolioMapping.Of(file, index).Bits
            || await Kernel.CompoundFolios.FolioTestLarge(cpu, frame) || await cpu.Load(Kernel.Folios[frame].Writeback) != 0)
        {
            return false;
        }

        if (await Kernel.Rmap.FolioMapped(cpu, frame))
        {
            await Kernel.Reclaim.TryToUnmap(cpu, frame, true);
        }

        return await PageRefFreeze(cpu, frame);
    }

    /// <summary>
    /// include/linux/page_ref.h: <c>page_ref_freeze</c>: false if anybody but the page cache and the caller refers to the page; a full barrier. Behind
    /// the unmapping: GUP-fast takes its reference and then looks at the entry again.
    /// </summary>
    protected virtual async Proc<bool> PageRefFreeze(Cpu cpu, int frame)
        => await cpu.CompareExchange(
            Kernel.Folios[frame].Frame.RefCount, 2, 0, StepWeight.Key, $"page_ref_freeze(frame {frame})") == 2;

    /// <summary>The call of <c>try_to_unmap_flush</c> in <c>collapse_file</c>.</summary>
    protected virtual async Proc TryToUnmapFlush(Cpu cpu) => await Kernel.TlbBatch.TryToUnmapFlush(cpu);

    /// <summary>The success of <c>collapse_file</c>: contents are copied, the small pages freed. The huge folio is dirty, as shmem's.</summary>
    [KernelName("collapse_file")]
    protected virtual async Proc CopyPages(Cpu cpu, FrameSet replaced, int start, int huge)
    {
        for (FrameSet rest = replaced; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            int frame = rest.First;
            int index = (await Kernel.Rmap.FolioMappingOf(cpu, frame)).Index;
            await cpu.CopyFrame(frame, huge + index - start, "copy_highpage");
            await cpu.Store(Kernel.Folios[frame].Mapping, 0);
            await cpu.Exchange(Kernel.Folios[frame].Frame.RefCount, 1);
            await Kernel.Filemap.FolioUnlock(cpu, frame);
            await Kernel.Filemap.FolioPut(cpu, frame);
        }

        await SetPageDirty(cpu, huge);
    }

    /// <summary>The call of <c>set_page_dirty</c> in <c>collapse_file</c>.</summary>
    protected virtual async Proc SetPageDirty(Cpu cpu, int huge) => await Kernel.Filemap.FolioMarkDirty(cpu, huge);

    /// <summary>The failure of <c>collapse_file</c>: the small pages come back, and can be looked up again.</summary>
    [KernelName("collapse_file")]
    protected virtual async Proc RollBack(Cpu cpu, FrameSet replaced, FileMapping file, int huge)
    {
        ArgumentNullException.ThrowIfNull(file);
        for (FrameSet rest = replaced; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            int frame = rest.First;
            int index = (await Kernel.Rmap.FolioMappingOf(cpu, frame)).Index;
            await cpu.Store(file.Pages[index], (ulong)frame + 1);
            await cpu.Exchange(Kernel.Folios[frame].Frame.RefCount, 2);
            await Kernel.Filemap.FolioUnlock(cpu, frame);
            await Kernel.Filemap.FolioPut(cpu, frame);
        }

        for (int i = 0; i < Span; i++)
        {
            await cpu.Store(Kernel.Folios[huge + i].Mapping, 0);
        }
    }

    /// <summary>
    /// mm/khugepaged.c: <c>retract_page_tables</c>: for every area that maps the range. The folio lock keeps faults from mapping it, i_mmap_rwsem walks
    /// from the page away. mmap_lock is only tried: who faults holds it and waits for the folio. Where it is taken the table stays, and small entries map the
    /// huge folio.
    /// </summary>
    public virtual async Proc RetractPageTables(Cpu cpu, FileMapping file, int start)
    {
        ArgumentNullException.ThrowIfNull(file);
        await file.MmapRwsem.LockWrite(cpu);
        ulong linked = await cpu.Load(file.Mmap, weight: StepWeight.Context);
        for (int i = 0; i < file.Areas.Count; i++)
        {
            FileArea area = file.Areas[i];
            if ((linked & area.Bit) != 0 && area.Kind == FileAreaKind.Shared && area.Covers(start) && await MmapWriteTrylock(cpu, area.Mm))
            {
                await RetractPageTable(cpu, area, area.PageOf(start));
                await Kernel.MmapLock.MmapWriteUnlock(cpu, area.Mm);
            }
        }

        await file.MmapRwsem.UnlockWrite(cpu);
    }

    /// <summary>The call of <c>mmap_write_trylock</c> in <c>retract_page_tables</c>.</summary>
    protected virtual async Proc<bool> MmapWriteTrylock(Cpu cpu, Mm mm) => await Kernel.MmapLock.MmapWriteTrylock(cpu, mm);

    /// <summary>The loop's body in <c>retract_page_tables</c>, with mmap_lock: only what one area covers, and where there is a table.</summary>
    [KernelName("retract_page_tables")]
    protected virtual async Proc RetractPageTable(Cpu cpu, FileArea area, int address)
    {
        ArgumentNullException.ThrowIfNull(area);
        if (!await Kernel.HugeMemory.TranshugeVmaSuitable(cpu, area, address))
        {
            return;
        }

        PageTable pmd = await Kernel.PageWalk.TableAt(cpu, area.Mm, address, 1);
        Pte entry = pmd.Index < 0 ? Pte.None : await cpu.EntryRead(pmd, address, "pmdp_get");
        if (entry.Present && !entry.Huge)
        {
            await CollapseAndFreePmd(cpu, area.Mm, pmd, address);
        }
    }

    /// <summary>
    /// mm/khugepaged.c: <c>collapse_and_free_pmd</c>: mmap_lock and i_mmap_rwsem, both held for writing, leave hardware, for which the flush
    /// is, and walkers without these locks, for which the table is freed behind a grace period (since 6.5; before, an IPI to all CPUs stood there).
    /// </summary>
    public virtual async Proc CollapseAndFreePmd(Cpu cpu, Mm mm, PageTable pmd, int address)
    {
        await MmuNotifierInvalidateRangeStart(cpu, mm, address);
        await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
        Pte old = await PmdpCollapseFlush(cpu, mm, pmd, address);
        await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        await MmuNotifierInvalidateRangeEnd(cpu, mm, address);
        await PteFreeDefer(cpu, old.Frame);
    }

    /// <summary>The call of <c>pmdp_collapse_flush</c>: see <see cref="PmdCollapse"/>.</summary>
    protected virtual async Proc<Pte> PmdpCollapseFlush(Cpu cpu, Mm mm, PageTable pmd, int address)
        => await Kernel.PmdCollapse.PmdpCollapseFlush(cpu, mm, pmd, address);

    /// <summary>The call of <c>pte_free_defer</c>: GUP-fast, or a walk to the table's lock, may be under way.</summary>
    protected virtual async Proc PteFreeDefer(Cpu cpu, int table) => await Kernel.PmdCollapse.PteFreeDefer(cpu, table);

    /// <summary>The call of <c>mmu_notifier_invalidate_range_start</c> (f268f6cf875f).</summary>
    [KernelName]
    protected virtual async Proc MmuNotifierInvalidateRangeStart(Cpu cpu, Mm mm, int address)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, address, Span);
        }
    }

    /// <summary>The call of <c>mmu_notifier_invalidate_range_end</c>.</summary>
    [KernelName]
    protected virtual async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int address)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, address, Span);
        }
    }
}
