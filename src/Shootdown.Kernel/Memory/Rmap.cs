using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The way from a page to the entries that map it (mm/rmap.c), and the count of them. A walk over a file's areas holds
/// i_mmap_rwsem for reading, a walk over anonymous memory the anon_vma lock: munmap unlinks an area under the lock
/// before it frees its tables. Where nothing can be unlinked, or (for anonymous memory) no table is ever freed and no page moved, the
/// lock is no step.
/// </summary>
public partial class Rmap(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>True if the anon_vma lock is a step: something can be unlinked or moved.</summary>
    protected bool AnonVmasChange => Machine.Paging.Levels > 1 || Kernel.Options.AnonMoves || Kernel.RegistersNotifiers;

    /// <summary>include/linux/pagemap.h: <c>folio_mapping</c>: stable under the folio lock.</summary>
    public virtual async Proc<FolioMapping> FolioMappingOf(Cpu cpu, int frame)
        => Kernel.Options.Files ? new FolioMapping(await cpu.Load(Kernel.Folios[frame].Mapping)) : default;

    /// <summary>
    /// mm/rmap.c: <c>folio_add_anon_rmap_pte</c>, <c>folio_add_file_rmap_pte</c>: under the table's lock. An entry that maps a huge folio of a file
    /// counts once (<c>folio_add_file_rmap_pmd</c>), as one that maps a part of it does.
    /// </summary>
    public virtual async Proc FolioAddRmapPte(Cpu cpu, int frame)
    {
        frame = Kernel.Options.HugeFiles ? await Kernel.CompoundFolios.CompoundHead(cpu, frame) : frame;
        await cpu.AddReturn(Kernel.Folios[frame].Frame.MapCount, 1, text: $"folio_add_rmap_pte(frame {frame})");
    }

    /// <summary>mm/rmap.c: <c>folio_remove_rmap_pte</c>: under the table's lock.</summary>
    public virtual async Proc FolioRemoveRmapPte(Cpu cpu, int frame)
    {
        frame = Kernel.Options.HugeFiles ? await Kernel.CompoundFolios.CompoundHead(cpu, frame) : frame;
        await cpu.AddReturn(Kernel.Folios[frame].Frame.MapCount, -1, StepWeight.Key, $"folio_remove_rmap_pte(frame {frame})");
    }

    /// <summary>include/linux/mm.h: <c>folio_mapped</c>: reads the count without any lock.</summary>
    public virtual async Proc<bool> FolioMapped(Cpu cpu, int frame)
        => await cpu.Load(
            Kernel.Folios[frame].Frame.MapCount, weight: StepWeight.Key) != 0;

    /// <summary>
    /// mm/rmap.c: <c>rmap_walk</c>: lets the walker visit every entry that maps the folio and returns what its visits
    /// returned, or-ed together. The caller holds the folio lock, unless the folio is anonymous and has one user.
    /// </summary>
    public virtual async Proc<ulong> RmapWalk(Cpu cpu, int frame, RmapWalker walker, ulong argument)
    {
        FolioMapping mapping = await FolioMappingOf(cpu, frame);
        return mapping.IsNone
            ? await RmapWalkAnon(cpu, frame, walker, argument)
            : await RmapWalkFile(cpu, frame, mapping, walker, argument);
    }

    /// <summary>mm/rmap.c: <c>anon_vma_clone</c>: from now on walks look at these pages too.</summary>
    public virtual async Proc AnonVmaClone(Cpu cpu, Mm mm, int first, int count)
    {
        if (AnonVmasChange)
        {
            await mm.AnonVma.LockWrite(cpu);
            var linked = new VmAreas(await cpu.Load(mm.AnonVmaPages));
            await cpu.Store(mm.AnonVmaPages, linked.With(first, count).Bits);
            await mm.AnonVma.UnlockWrite(cpu);
        }
    }

    /// <summary>mm/rmap.c: <c>unlink_anon_vmas</c>.</summary>
    public virtual async Proc UnlinkAnonVmas(Cpu cpu, Mm mm, int first, int count)
    {
        if (AnonVmasChange)
        {
            await mm.AnonVma.LockWrite(cpu);
            var linked = new VmAreas(await cpu.Load(mm.AnonVmaPages));
            await cpu.Store(mm.AnonVmaPages, linked.Without(first, count).Bits);
            await mm.AnonVma.UnlockWrite(cpu);
        }
    }

    /// <summary>mm/vma.c: the part of <c>free_pgtables</c> that unlinks every area of which nothing is left.</summary>
    public virtual async Proc UnlinkFileVmas(Cpu cpu, Mm mm, VmAreas remaining)
    {
        for (int i = 0; i < mm.FileAreas.Count; i++)
        {
            FileArea area = mm.FileAreas[i];
            if (!remaining.Touches(area.First, area.Count))
            {
                await UnlinkFileVma(cpu, area);
            }
        }
    }

    /// <summary>mm/vma.c: <c>unlink_file_vma</c>.</summary>
    public virtual async Proc UnlinkFileVma(Cpu cpu, FileArea area)
    {
        await area.File.MmapRwsem.LockWrite(cpu);
        await cpu.FetchAnd(area.File.Mmap, ~area.Bit, StepWeight.Key);
        await area.File.MmapRwsem.UnlockWrite(cpu);
    }

    /// <summary>include/linux/fs.h: <c>i_mmap_lock_read</c>; returns the areas that are linked.</summary>
    public virtual async Proc<ulong> IMmapLockRead(Cpu cpu, FileMapping file)
    {
        if (!file.HasUnlinkers)
        {
            return Machine.WordInfo(file.Mmap.Address).Initial;
        }

        await file.MmapRwsem.LockRead(cpu);
        return await cpu.Load(file.Mmap, weight: StepWeight.Context);
    }

    /// <summary>include/linux/fs.h: <c>i_mmap_unlock_read</c>.</summary>
    public virtual async Proc IMmapUnlockRead(Cpu cpu, FileMapping file)
    {
        if (file.HasUnlinkers)
        {
            await file.MmapRwsem.UnlockRead(cpu);
        }
    }

    /// <summary>mm/rmap.c: <c>rmap_walk_file</c>.</summary>
    protected virtual async Proc<ulong> RmapWalkFile(
        Cpu cpu, int frame, FolioMapping mapping, RmapWalker walker, ulong argument)
    {
        FileMapping file = Kernel.Files[mapping.File];
        bool huge = Kernel.Options.HugeFiles && await Kernel.CompoundFolios.FolioTestLarge(cpu, frame);
        ulong linked = await IMmapLockRead(cpu, file);
        ulong result = 0;
        for (int i = 0; i < file.Areas.Count; i++)
        {
            FileArea area = file.Areas[i];
            if (huge && (linked & area.Bit) != 0 && area.Offset < mapping.Index + Machine.Paging.SpanOf(1) && mapping.Index < area.Offset + area.Count)
            {
                result |= await FolioVmaMappedWalk(cpu, area, frame, mapping, walker, argument);
            }
            else if (!huge && (linked & area.Bit) != 0 && area.Covers(mapping.Index))
            {
                result |= await PageVmaMappedWalk(cpu, area.Mm, area.PageOf(mapping.Index), frame, walker, argument);
            }
        }

        await IMmapUnlockRead(cpu, file);
        return result;
    }

    /// <summary>
    /// mm/rmap.c: <c>rmap_walk_anon</c>, over every address space. Frames are coloured, so an anonymous page can only
    /// be mapped at pages of its colour, unless pages are moved.
    /// </summary>
    protected virtual async Proc<ulong> RmapWalkAnon(Cpu cpu, int frame, RmapWalker walker, ulong argument)
    {
        ulong result = 0;
        int colours = Kernel.Options.AnonMoves ? 1 : Machine.Options.FrameColours;
        for (int i = 0; i < Kernel.Mms.Count; i++)
        {
            Mm mm = Kernel.Mms[i];
            VmAreas linked = await FolioLockAnonVmaRead(cpu, mm);
            for (int page = frame % colours; page < Machine.Paging.PageCount; page += colours)
            {
                if (linked.Covers(page, 1) && mm.FileAreaOf(page) is null)
                {
                    result |= await PageVmaMappedWalk(cpu, mm, page, frame, walker, argument);
                }
            }

            await AnonVmaUnlockRead(cpu, mm);
        }

        return result;
    }

    /// <summary>mm/rmap.c: <c>folio_lock_anon_vma_read</c>; returns the pages that are linked.</summary>
    protected virtual async Proc<VmAreas> FolioLockAnonVmaRead(Cpu cpu, Mm mm)
    {
        if (!AnonVmasChange)
        {
            return new VmAreas(Machine.WordInfo(mm.AnonVmaPages.Address).Initial);
        }

        await mm.AnonVma.LockRead(cpu);
        return new VmAreas(await cpu.Load(mm.AnonVmaPages));
    }

    /// <summary>mm/rmap.c: the end of <c>rmap_walk_anon</c>.</summary>
    protected virtual async Proc AnonVmaUnlockRead(Cpu cpu, Mm mm)
    {
        if (AnonVmasChange)
        {
            await mm.AnonVma.UnlockRead(cpu);
        }
    }

    /// <summary>
    /// mm/page_vma_mapped.c: <c>page_vma_mapped_walk</c> with PVMW_SYNC for one place: the entry is looked at under the
    /// table's lock only, so a walk waits for whoever is changing it. Those that change entries tell notifiers around it.
    /// </summary>
    protected virtual async Proc<ulong> PageVmaMappedWalk(
        Cpu cpu, Mm mm, int page, int frame, RmapWalker walker, ulong argument)
    {
        bool notifies = mm.HasNotifiers && walker.NotifiesSecondaries;
        if (notifies)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, page, 1);
        }

        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        ulong result = 0;
        if (table.Index >= 0)
        {
            Pte entry = await cpu.EntryRead(table, page);
            if (walker.Matches(entry, frame))
            {
                result = await walker.RmapOne(cpu, mm, table, page, entry, argument);
            }

            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        }

        if (notifies)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, page, 1);
        }

        return result;
    }
}
