using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Migration to and from the memory of a device (mm/migrate_device.c): a driver moves one page of a process. Needs
/// <see cref="KernelOptions.AnonFolios"/>.
/// </summary>
/// <remarks>
/// One page at a time; the destination is memory that CPUs can reach too (<c>MEMORY_DEVICE_COHERENT</c>), so it is
/// mapped like any other page.
/// </remarks>
public class MigrateDevice(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// What a driver does: <c>migrate_vma_setup</c>, copy, <c>migrate_vma_pages</c>, <c>migrate_vma_finalize</c>. It
    /// holds mmap_lock for reading, and has looked for the area. True if the page was moved.
    /// </summary>
    public virtual async Proc<bool> MigrateVma(Cpu cpu, Mm mm, int page)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        int frame = (await Kernel.MmapLock.FindVma(cpu, mm)).Covers(page, 1) ? await MigrateVmaSetup(cpu, mm, page) : -1;
        bool moved = false;
        if (frame >= 0)
        {
            int target = await cpu.AllocFrame(page);
            await cpu.Assert(target >= 0, "a page is free");
            moved = await Kernel.Migrate.MoveToNewFolio(cpu, frame, target);
            await MigrateVmaFinalize(cpu, frame, target, moved);
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        return moved;
    }

    /// <summary>
    /// mm/migrate_device.c: <c>migrate_vma_setup</c>: the frame that is to move, locked and with a reference, or -1.
    /// </summary>
    public virtual async Proc<int> MigrateVmaSetup(Cpu cpu, Mm mm, int page)
    {
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, page, 1);
        }

        int frame = await MigrateVmaCollectPmd(cpu, mm, page);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, page, 1);
        }

        if (frame >= 0 && !await MigrateDeviceUnmap(cpu, frame))
        {
            await Kernel.Migrate.RemoveMigrationPtes(cpu, frame, frame);
            await Kernel.Filemap.FolioUnlock(cpu, frame);
            await cpu.PutFrames(FrameSet.Of(frame), "folio_putback_lru");
            return -1;
        }

        return frame;
    }

    /// <summary>
    /// mm/migrate_device.c: <c>migrate_vma_collect_pmd</c>. Puts the migration entry in at once, without a walk from the
    /// page. Since 5.19 a page that belongs to one process alone is flushed as it is cleared, since pins are looked for
    /// behind that. The flush for all comes before the table's lock is dropped: who finds a migration entry has nothing
    /// to flush himself.
    /// </summary>
    public virtual async Proc<int> MigrateVmaCollectPmd(Cpu cpu, Mm mm, int page)
    {
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        if (table.Index < 0)
        {
            return -1;
        }

        int frame = -1;
        Pte entry = await cpu.EntryRead(table, page);
        if (entry.Present && await cpu.MutexTryLock(Kernel.Folios[entry.Frame].Lock) != 0)
        {
            frame = entry.Frame;
            await cpu.AddReturn(Kernel.Folios[frame].Frame.RefCount, 1);
            bool exclusive = await cpu.Load(Kernel.Folios[frame].AnonExclusive) != 0;
            Pte old = exclusive
                ? await Kernel.PteOps.PtepClearFlush(cpu, mm, table, page)
                : await Kernel.PteOps.PtepGetAndClear(cpu, table, page);
            if (await Kernel.Migrate.SetMigrationEntry(cpu, table, page, old))
            {
                await cpu.PutFrames(FrameSet.Of(frame), "folio_put");
            }
            else
            {
                await Kernel.Filemap.FolioUnlock(cpu, frame);
                await cpu.PutFrames(FrameSet.Of(frame), "folio_put");
                frame = -1;
            }

            await FlushCollected(cpu, mm, page);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        return frame;
    }

    /// <summary>
    /// mm/migrate_device.c: <c>migrate_device_unmap</c>: removes what other entries there are; false if somebody still
    /// uses the page.
    /// </summary>
    public virtual async Proc<bool> MigrateDeviceUnmap(Cpu cpu, int frame)
    {
        if (await Kernel.Rmap.FolioMapped(cpu, frame))
        {
            await Kernel.Migrate.TryToMigrate(cpu, frame, false);
        }

        return !await Kernel.Rmap.FolioMapped(cpu, frame)
            && await cpu.Load(Kernel.Folios[frame].Frame.RefCount) == 1;
    }

    /// <summary>
    /// mm/migrate_device.c: <c>migrate_vma_finalize</c>: the entries come back, and the page that is left over is freed.
    /// </summary>
    public virtual async Proc MigrateVmaFinalize(Cpu cpu, int frame, int target, bool moved)
    {
        await Kernel.Migrate.RemoveMigrationPtes(cpu, frame, moved ? target : frame);
        await Kernel.Filemap.FolioUnlock(cpu, frame);
        await cpu.PutFrames(FrameSet.Of(frame).With(target), "folio_put");
    }

    /// <summary>The flush of <c>migrate_vma_collect_pmd</c>, under the table's lock.</summary>
    protected virtual async Proc FlushCollected(Cpu cpu, Mm mm, int page)
        => await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(page, 1));
}
