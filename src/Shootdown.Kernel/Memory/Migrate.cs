using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Migration of anonymous pages (mm/migrate.c, mm/rmap.c): every entry that maps the page becomes a migration entry, the
/// contents are copied, and the entries come back with the new page. Needs <see cref="KernelOptions.AnonFolios"/>.
/// </summary>
/// <remarks>
/// One folio at a time, as <c>migrate_pages_sync</c> does. A locked folio is waited for.
/// </remarks>
public class Migrate : RmapWalker
{
    private const ulong Batch = 1;
    private readonly RemoveMigrationPte _remove;

    /// <summary>Makes the walker of the way back.</summary>
    public Migrate(KernelModel kernel)
        : base(kernel)
        => _remove = new RemoveMigrationPte(kernel);

    /// <summary>
    /// mm/compaction.c: <c>compact_zone</c>: isolates folios and moves them. 6.1 does not batch the flush.
    /// </summary>
    public virtual async Proc CompactZone(Cpu cpu, int first, int count, bool batch)
    {
        for (int frame = first; frame < first + count; frame++)
        {
            if (await Kernel.Reclaim.FolioIsolateLru(cpu, frame))
            {
                await MigratePages(cpu, frame, batch);
            }
        }
    }

    /// <summary>
    /// mm/migrate.c: <c>migrate_pages</c>, <c>migrate_folio_unmap</c> and <c>migrate_folio_move</c>, for one folio that
    /// the caller isolated; its reference is used up. True if the folio was moved. Nobody may store to the old page once
    /// the copy starts, so the flush comes between unmapping and copying.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="batch">
    /// True for <c>TTU_BATCH_FLUSH</c> (6.3 and later); 6.1 flushes as it clears each entry.
    /// </param>
    public virtual async Proc<bool> MigratePages(Cpu cpu, int frame, bool batch)
    {
        int target = await Kernel.PageFault.AllocFrame(cpu, frame % Machine.Options.FrameColours);
        await Kernel.Filemap.FolioLock(cpu, frame);
        await Kernel.Filemap.FolioLock(cpu, target);
        if (await Kernel.Rmap.FolioMapped(cpu, frame))
        {
            await TryToMigrate(cpu, frame, batch);
            await Kernel.TlbBatch.TryToUnmapFlush(cpu);
        }

        return await MigrateFolioMove(cpu, frame, target);
    }

    /// <summary>
    /// mm/migrate.c: <c>migrate_pages_batch</c> (since 6.3): all folios are unmapped, then one flush comes before the first of them is
    /// copied. The caller isolated them; its references are used up.
    /// </summary>
    public virtual async Proc MigratePagesBatch(Cpu cpu, FrameSet frames)
    {
        FrameSet targets = Kernel.NewFrameSet();
        for (FrameSet rest = frames; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            int target = await Kernel.PageFault.AllocFrame(cpu, rest.First % Machine.Options.FrameColours);
            targets = targets.With(target);
            await Kernel.Filemap.FolioLock(cpu, rest.First);
            await Kernel.Filemap.FolioLock(cpu, target);
            if (await Kernel.Rmap.FolioMapped(cpu, rest.First))
            {
                await TryToMigrate(cpu, rest.First, true);
            }
        }

        await Kernel.TlbBatch.TryToUnmapFlush(cpu);
        for (FrameSet rest = frames; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            int target = TargetOf(targets, rest.First);
            targets = targets.List is null ? targets.Mask & ~(1UL << target) : targets.WithoutFirst;
            await MigrateFolioMove(cpu, rest.First, target);
        }
    }

    /// <summary>A mask does not tell which target was allocated for which folio: any of its colour will do.</summary>
    private int TargetOf(FrameSet targets, int frame)
    {
        int colours = Machine.Options.FrameColours;
        while (targets.List is null && targets.First % colours != frame % colours)
        {
            targets = targets.WithoutFirst;
        }

        return targets.First;
    }

    /// <summary>mm/migrate.c: <c>migrate_folio_move</c>.</summary>
    [KernelName]
    protected virtual async Proc<bool> MigrateFolioMove(Cpu cpu, int frame, int target)
    {
        bool moved = !await Kernel.Rmap.FolioMapped(cpu, frame) && await MoveToNewFolio(cpu, frame, target);
        await RemoveMigrationPtes(cpu, frame, moved ? target : frame);
        await Kernel.Filemap.FolioUnlock(cpu, target);
        await cpu.PutFrames(FrameSet.Of(target), "folio_put");
        await Kernel.Filemap.FolioUnlock(cpu, frame);
        await MigrateFolioDone(cpu, frame, moved);
        return moved;
    }

    /// <summary>mm/migrate.c: <c>migrate_folio_done</c>: the isolated folio's reference goes; it was moved, or goes back to its list.</summary>
    [KernelName]
    protected virtual async Proc MigrateFolioDone(Cpu cpu, int frame, bool moved)
        => await cpu.PutFrames(FrameSet.Of(frame), moved ? "migrate_folio_done" : "folio_putback_lru");

    /// <summary>mm/rmap.c: <c>try_to_migrate</c>: all entries become migration entries.</summary>
    public virtual async Proc TryToMigrate(Cpu cpu, int frame, bool batch)
        => await Kernel.Rmap.RmapWalk(cpu, frame, this, batch ? Batch : 0);

    /// <inheritdoc/>
    public override bool NotifiesSecondaries => true;

    /// <inheritdoc/>
    public override async Proc<ulong> RmapOne(Cpu cpu, Mm mm, PageTable table, int page, Pte entry, ulong argument)
    {
        await TryToMigrateOne(cpu, mm, table, page, entry.Frame, argument == Batch);
        return 0;
    }

    /// <summary>
    /// mm/rmap.c: <c>try_to_migrate_one</c>. The migration entry keeps the rights, so that nobody has to ask for them
    /// again; it has no reference and no mapping of the page.
    /// </summary>
    public virtual async Proc TryToMigrateOne(Cpu cpu, Mm mm, PageTable table, int page, int frame, bool batch)
    {
        Pte old;
        if (batch && await Kernel.TlbBatch.ShouldDeferFlush(cpu, mm))
        {
            old = await Kernel.PteOps.PtepGetAndClear(cpu, table, page);
            await Kernel.TlbBatch.SetTlbUbcFlushPending(cpu, mm, old);
        }
        else
        {
            old = await Kernel.PteOps.PtepClearFlush(cpu, mm, table, page);
        }

        if (await SetMigrationEntry(cpu, table, page, old))
        {
            await cpu.PutFrames(FrameSet.Of(frame), "folio_put");
        }
    }

    /// <summary>
    /// mm/rmap.c: <c>try_to_migrate_one</c>: what follows the clearing of an entry; device migration does the same. The
    /// dirty bit moves to the folio, the exclusive mark into the migration entry (<c>folio_try_share_anon_rmap_pte</c>). False if
    /// the page may be pinned: the entry is what it was.
    /// </summary>
    public virtual async Proc<bool> SetMigrationEntry(Cpu cpu, PageTable table, int page, Pte old)
    {
        if (old.Dirty)
        {
            await Kernel.Filemap.FolioMarkDirty(cpu, old.Frame);
        }

        Word exclusive = Kernel.Folios[old.Frame].AnonExclusive;
        Pte entry = Pte.Migration(old);
        if (await cpu.Load(exclusive) != 0)
        {
            if (!await Kernel.AnonExclusive.FolioTryShareAnonRmapPte(cpu, old.Frame))
            {
                await Kernel.PteOps.SetPteAt(cpu, table, page, old);
                return false;
            }

            entry = entry.With(Pte.ExclusiveBit);
        }

        await Kernel.PteOps.SetPteAt(cpu, table, page, entry);
        await Kernel.Rmap.FolioRemoveRmapPte(cpu, old.Frame);
        return true;
    }

    /// <summary>
    /// mm/migrate.c: <c>move_to_new_folio</c>, <c>__migrate_folio</c>: false if somebody else has a reference, who could
    /// go on using the old page. Since 6.11 the copy comes before the mapping is replaced; anonymous memory has none.
    /// </summary>
    public virtual async Proc<bool> MoveToNewFolio(Cpu cpu, int frame, int target)
    {
        FrameWords from = Kernel.Folios[frame].Frame;
        FrameWords to = Kernel.Folios[target].Frame;
        if (await cpu.Load(from.RefCount) != 1)
        {
            return false;
        }

        await FolioMcCopy(cpu, target, frame);
        await cpu.Store(to.Dirty, await cpu.Load(from.Dirty));
        if (Kernel.Options.Lazyfree)
        {
            await cpu.Store(Kernel.Folios[target].Lazyfree, await cpu.Load(Kernel.Folios[frame].Lazyfree));
        }

        return true;
    }

    /// <summary>mm/util.c: <c>folio_mc_copy</c>: the contents.</summary>
    protected virtual async Proc FolioMcCopy(Cpu cpu, int target, int frame) => await cpu.CopyFrame(frame, target, "folio_mc_copy");

    /// <summary>
    /// mm/migrate.c: <c>remove_migration_ptes</c>: the entries that wait for the old page get the new one, or the old
    /// one again. The old folio is locked: those who faulted meanwhile wait for that.
    /// </summary>
    public virtual async Proc RemoveMigrationPtes(Cpu cpu, int frame, int target)
        => await Kernel.Rmap.RmapWalk(cpu, frame, _remove, (ulong)target);

    /// <summary>
    /// mm/migrate.c: <c>migration_entry_wait_on_locked</c>: until the folio is unlocked. Called without the table's
    /// lock; the access is then tried again.
    /// </summary>
    public virtual async Proc MigrationEntryWait(Cpu cpu, int frame)
        => await cpu.WaitEvent(Kernel.Folios[frame].Lock.Word, Condition.Equal, 0);

    /// <summary>
    /// mm/migrate.c: <c>remove_migration_pte</c>: the entry that comes back. A page that was a NUMA hint becomes accessible again.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="table">The table, locked.</param>
    /// <param name="page">The virtual page.</param>
    /// <param name="entry">The migration entry.</param>
    /// <param name="frame">The frame that the page has now.</param>
    [KernelName]
    protected internal virtual async Proc RestoreEntry(Cpu cpu, PageTable table, int page, Pte entry, int frame)
    {
        Folio folio = Kernel.Folios[frame];
        await cpu.AddReturn(folio.Frame.RefCount, 1);
        await Kernel.Rmap.FolioAddRmapPte(cpu, frame);
        await cpu.Store(folio.AnonExclusive, (entry.Bits & Pte.ExclusiveBit) != 0 ? 1UL : 0);
        Pte leaf = Kernel.PteOps.MkWritable(frame, entry.Write, entry.Dirty && await cpu.Load(folio.Frame.Dirty) != 0);
        const ulong Kept = Pte.SoftDirtyBit | Pte.UserfaultWpBit | Pte.NoExecuteBit;
        await Kernel.PteOps.SetPteAt(cpu, table, page, leaf.With(entry.Bits & Kept));
    }

    /// <summary>The walker of <see cref="RemoveMigrationPtes"/>; its argument is the frame that entries get.</summary>
    private sealed class RemoveMigrationPte(KernelModel kernel) : RmapWalker(kernel)
    {
        /// <inheritdoc/>
        public override bool Matches(Pte entry, int frame) => entry.IsMigration && entry.Frame == frame;

        /// <inheritdoc/>
        public override async Proc<ulong> RmapOne(
            Cpu cpu, Mm mm, PageTable table, int page, Pte entry, ulong argument)
        {
            await Kernel.Migrate.RestoreEntry(cpu, table, page, entry, (int)argument);
            return 0;
        }
    }
}
