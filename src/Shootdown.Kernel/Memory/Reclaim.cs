using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Reclaim (mm/vmscan.c, mm/rmap.c): unmap, write out, flush, free.</summary>
/// <remarks>
/// Simplified: folios are isolated one by one, not in a batch; a locked folio is waited for, not skipped; none is kept
/// because it was referenced; IO ends before reclaim goes on; the swap cache has no reference of its own.
/// </remarks>
public partial class Reclaim(KernelModel kernel) : RmapWalker(kernel)
{
    /// <summary>Result of a visit of <see cref="TryToUnmapOne"/>: an entry was removed.</summary>
    protected const ulong Unmapped = 1;

    /// <summary>Result of a visit: the entry was dirty.</summary>
    protected const ulong WasDirty = 2;

    private const ulong Batch = 1;
    /// <summary>Where a visit's result says which page of which address space it was.</summary>
    protected const int PlaceShift = 8;

    /// <summary>
    /// mm/vmscan.c: <c>shrink_folio_list</c>. With batching, pages whose entries were clean share one flush at the
    /// end; a dirty one is flushed before it is written out, or a store through a stale entry could follow the write
    /// and be lost. Folios that could not be freed go back to their list behind the flush too
    /// (<c>move_folios_to_lru</c>): whoever finds them there may find them unmapped, and free them.
    /// </summary>
    /// <param name="cpu">The CPU that reclaims.</param>
    /// <param name="folios">The folios at the end of the LRU list.</param>
    /// <param name="batch">True for <c>TTU_BATCH_FLUSH</c>.</param>
    /// <param name="isolated">True if the caller has isolated the folios.</param>
    public virtual async Proc ShrinkFolioList(Cpu cpu, FrameSet folios, bool batch, bool isolated = false)
    {
        FrameSet discarded = Kernel.NewFrameSet();
        FrameSet kept = Kernel.NewFrameSet();
        FrameSet reclaimed = Kernel.NewFrameSet();
        for (FrameSet rest = folios; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            int frame = rest.First;
            if (isolated || await FolioIsolateLru(cpu, frame))
            {
                bool freed = await ReclaimFolio(cpu, frame, batch);
                Machine.Timed?.HoldBack(cpu, freed ? 1 : 0);
                bool lazyfree = freed && await IsLazyfree(cpu, frame);
                kept = freed ? kept : kept.With(frame);
                discarded = lazyfree ? discarded.With(frame) : discarded;
                reclaimed = freed && !lazyfree ? reclaimed.With(frame) : reclaimed;
                if (freed && !lazyfree && Kernel.Options.HugeFiles)
                {
                    reclaimed = new FrameSet(reclaimed.Mask | (await Kernel.CompoundFolios.FramesOf(cpu, frame)).Mask);
                }

                if (discarded.Count + reclaimed.Count >= Kernel.Options.FreeBatch)
                {
                    await FreeUnrefFolios(cpu, discarded, reclaimed);
                    discarded = Kernel.NewFrameSet();
                    reclaimed = Kernel.NewFrameSet();
                }
            }
        }

        await Kernel.TlbBatch.TryToUnmapFlush(cpu);
        if (!kept.IsEmpty)
        {
            await cpu.PutFrames(kept, "folio_putback_lru");
        }

        await FreeUnrefFolios(cpu, discarded, reclaimed);
    }

    /// <summary>
    /// mm/swap.c: <c>free_unref_folios</c>, behind the flush. 6.12 does so whenever a batch of 31 is full, 6.1 once at the end.
    /// </summary>
    [KernelName]
    protected virtual async Proc FreeUnrefFolios(Cpu cpu, FrameSet discarded, FrameSet reclaimed)
    {
        await Kernel.TlbBatch.TryToUnmapFlush(cpu);
        Machine.Timed?.HoldBack(cpu, -(discarded.Count + reclaimed.Count));
        if (!discarded.IsEmpty)
        {
            // No frame that was stored to since MADV_FREE is among them: that it was clean was looked at behind its entries.
            await cpu.ReclaimFrames(discarded, "free_unref_folios");
        }

        if (!reclaimed.IsEmpty)
        {
            await FreeUnrefFolios(cpu, reclaimed);
        }
    }

    /// <summary>mm/page_alloc.c: <c>free_unref_folios</c>: the frames that were reclaimed go back to the allocator.</summary>
    [KernelName]
    protected virtual async Proc FreeUnrefFolios(Cpu cpu, FrameSet frames) => await cpu.ReclaimFrames(frames, "free_unref_folios");

    /// <summary>
    /// mm/vmscan.c: <c>isolate_lru_folios</c>: false if the folio is being freed. Of a huge folio only the first frame is on a list.
    /// </summary>
    public virtual async Proc<bool> FolioIsolateLru(Cpu cpu, int frame)
        => (!Kernel.Options.HugeFiles || await Kernel.CompoundFolios.CompoundHead(cpu, frame) == frame)
            && Kernel.FolioKinds.IsOnLru(frame) && await cpu.FrameTryGet(frame) != 0;

    /// <summary>
    /// mm/vmscan.c: the body of the loop of <c>shrink_folio_list</c>: true if the frame is to be freed behind the
    /// flush; else the folio is to go back to its list.
    /// </summary>
    protected virtual async Proc<bool> ReclaimFolio(Cpu cpu, int frame, bool batch)
    {
        FolioMapping mapping = default;
        if (Kernel.Options.Files || Kernel.Options.AnonFolios)
        {
            await Kernel.Filemap.FolioLock(cpu, frame);
            mapping = await Kernel.Rmap.FolioMappingOf(cpu, frame);
        }

        if (!mapping.IsNone)
        {
            await Kernel.Writeback.FolioWaitWriteback(cpu, frame);
        }

        bool counted = !mapping.IsNone || Kernel.Options.AnonFolios;
        bool pinned = mapping.IsNone && await Kernel.AnonExclusive.FolioMaybeDmaPinned(cpu, frame);
        bool removed = !pinned && !await IsTruncated(cpu, frame, mapping) && (counted
            ? await UnmapAndClean(cpu, frame, mapping, batch)
            : await UnmapAndSwapOut(cpu, frame, batch));
        removed = removed && await RemoveMapping(cpu, frame, mapping);
        if (Kernel.Options.Files || Kernel.Options.AnonFolios)
        {
            await Kernel.Filemap.FolioUnlock(cpu, frame);
        }

        return removed;
    }

    /// <summary>A huge folio that has left the page cache: it is no anonymous one, and whoever took it out frees it (<c>keep_locked</c>).</summary>
    private async Proc<bool> IsTruncated(Cpu cpu, int frame, FolioMapping mapping)
        => mapping.IsNone && Kernel.Options.HugeFiles && await Kernel.CompoundFolios.FolioTestLarge(cpu, frame);

    /// <summary>
    /// A folio whose mappings are counted: true if it is unmapped and clean. Anonymous memory always goes to swap
    /// (<c>add_to_swap</c> marks it dirty).
    /// </summary>
    protected virtual async Proc<bool> UnmapAndClean(Cpu cpu, int frame, FolioMapping mapping, bool batch)
    {
        ulong result = 0;
        if (await Kernel.Rmap.FolioMapped(cpu, frame))
        {
            result = await TryToUnmap(cpu, frame, batch);
            if (await Kernel.Rmap.FolioMapped(cpu, frame))
            {
                return false;
            }
        }

        if (await IsLazyfree(cpu, frame))
        {
            return true;
        }

        bool dirty = mapping.IsNone || await cpu.Load(Kernel.Folios[frame].Frame.Dirty) != 0;
        if (dirty)
        {
            await Kernel.TlbBatch.TryToUnmapFlushDirty(cpu);
            await Pageout(cpu, frame, mapping, result);
        }

        return true;
    }

    /// <summary>include/linux/mm_inline.h: an anonymous folio without <c>folio_test_swapbacked</c>.</summary>
    protected virtual async Proc<bool> IsLazyfree(Cpu cpu, int frame)
        => Kernel.Options.Lazyfree && await cpu.Load(Kernel.Folios[frame].Lazyfree) != 0;

    /// <summary>
    /// An anonymous folio with one user: true if its one entry was found and removed. If not, somebody else removed
    /// it and frees the folio.
    /// </summary>
    protected virtual async Proc<bool> UnmapAndSwapOut(Cpu cpu, int frame, bool batch)
    {
        ulong result = await TryToUnmap(cpu, frame, batch);
        if ((result & WasDirty) != 0 || (Kernel.Options.SwapData && result != 0))
        {
            await Kernel.TlbBatch.TryToUnmapFlushDirty(cpu);
            await Pageout(cpu, frame, default, result);
        }

        return result != 0;
    }

    /// <summary>mm/rmap.c: <c>try_to_unmap</c>: removes all entries that map the folio.</summary>
    public virtual async Proc<ulong> TryToUnmap(Cpu cpu, int frame, bool batch)
        => await Kernel.Rmap.RmapWalk(cpu, frame, this, batch ? Batch : 0);

    /// <inheritdoc/>
    public override bool NotifiesSecondaries => true;

    /// <inheritdoc/>
    public override async Proc<ulong> RmapOne(Cpu cpu, Mm mm, PageTable table, int page, Pte entry, ulong argument)
        => await TryToUnmapOne(cpu, mm, table, page, entry.Frame, argument == Batch);

    /// <summary>
    /// mm/rmap.c: <c>try_to_unmap_one</c>. If the flush is deferred, a CPU may go on using the page through its TLB;
    /// the batch remembers it and tlb_flush_batched tells others, both before the table's lock is dropped. So does
    /// the dirty bit, which moves to the folio.
    /// </summary>
    public virtual async Proc<ulong> TryToUnmapOne(Cpu cpu, Mm mm, PageTable table, int page, int frame, bool batch)
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

        bool counted = Kernel.CountsMappings(mm, page);
        if (old.Dirty && counted)
        {
            await Kernel.Filemap.FolioMarkDirty(cpu, frame);
        }

        if (mm.FileAreaOf(page) is null)
        {
            bool lazyfree = await IsLazyfree(cpu, frame);
            if (lazyfree && !await CanDiscard(cpu, frame))
            {
                await Kernel.PteOps.SetPteAt(cpu, table, page, old);
                await cpu.Store(Kernel.Folios[frame].Lazyfree, 0);
                return 0;
            }

            if (!lazyfree && !await ShareAnonRmap(cpu, frame))
            {
                await Kernel.PteOps.SetPteAt(cpu, table, page, old);
                return 0;
            }

            if (!lazyfree)
            {
                await Kernel.PteOps.SetPteAt(cpu, table, page, SwpEntry(page, old));
            }
        }

        if (counted)
        {
            await Kernel.Rmap.FolioRemoveRmapPte(cpu, frame);
        }

        // The entry's reference; the one of isolation is left, so the folio cannot be freed here.
        await cpu.AddReturn(Kernel.Folios[frame].Frame.RefCount, -1);
        return Unmapped | (old.Dirty ? WasDirty : 0) | ((ulong)((mm.Index * Machine.Paging.PageCount) + page) << PlaceShift);
    }

    /// <summary>The swap entry of <c>try_to_unmap_one</c>: it keeps marks (<c>pte_swp_mksoft_dirty</c>, <c>pte_swp_mkuffd_wp</c>).</summary>
    protected virtual Pte SwpEntry(int page, Pte old) => Pte.Swap(page).With(old.Bits & (Pte.UserfaultWpBit | Pte.SoftDirtyBit));

    /// <summary>
    /// The call of <c>folio_try_share_anon_rmap_pte</c> in <c>try_to_unmap_one</c>: a swap entry may be read in twice. False if the
    /// page may be pinned.
    /// </summary>
    protected virtual async Proc<bool> ShareAnonRmap(Cpu cpu, int frame)
        => !Kernel.Options.Pins || await cpu.Load(Kernel.Folios[frame].AnonExclusive) == 0
            || await Kernel.AnonExclusive.FolioTryShareAnonRmapPte(cpu, frame);

    /// <summary>
    /// mm/rmap.c: <c>try_to_unmap_one</c> for MADV_FREE: true if nobody has written the page since. The entry is
    /// cleared before the references are counted (full fence): pairs with lockless pinning, which takes a reference and
    /// then looks at the entry again. They are counted before the dirty flag is read: whoever made the page dirty
    /// through a reference did so before dropping that.
    /// </summary>
    protected virtual async Proc<bool> CanDiscard(Cpu cpu, int frame)
    {
        FrameWords words = Kernel.Folios[frame].Frame;
        await cpu.FullBarrier();
        ulong references = await cpu.Load(words.RefCount);
        ulong mappings = await cpu.Load(words.MapCount);
        return references == 1 + mappings && await cpu.Load(words.Dirty, weight: StepWeight.Key) == 0;
    }

    /// <summary>
    /// mm/vmscan.c: <c>pageout</c>: the folio's contents go to its file or to its swap slot. Nothing maps the folio any
    /// more, so clearing the dirty flag needs no walk.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="mapping">The file, or none.</param>
    /// <param name="unmapped">What unmapping it returned.</param>
    public virtual async Proc Pageout(Cpu cpu, int frame, FolioMapping mapping, ulong unmapped)
    {
        if (!mapping.IsNone)
        {
            await Kernel.Filemap.FolioTestClearDirty(cpu, frame);
        }

        if (Kernel.Options.HugeFiles && await Kernel.CompoundFolios.FolioTestLarge(cpu, frame))
        {
            await WriteHugeFolio(cpu, frame, mapping);
            return;
        }

        ulong contents = await cpu.WriteFrame(frame, mapping.IsNone ? "swap_writepage" : "writepage");
        if (Kernel.Options.SwapData)
        {
            int place = (int)(unmapped >> PlaceShift);
            await cpu.Store(
                mapping.IsNone
                    ? Kernel.Mms[place / Machine.Paging.PageCount].SwapSlots[place % Machine.Paging.PageCount]
                    : Kernel.Files[mapping.File].Disk[mapping.Index],
                contents);
        }
    }

    /// <summary>
    /// mm/vmscan.c: <c>__remove_mapping</c>: true if nobody but reclaim and the page cache refers to the folio and it
    /// is clean. The count is frozen at 0 before the dirty flag is looked at: whoever got hold of the folio, made it
    /// dirty and let go of it again has done the first before the last.
    /// </summary>
    protected virtual async Proc<bool> RemoveMapping(Cpu cpu, int frame, FolioMapping mapping)
    {
        if (Kernel.Options.HugeFiles && await Kernel.CompoundFolios.FolioTestLarge(cpu, frame))
        {
            return await RemoveHugeMapping(cpu, frame, mapping);
        }

        FrameWords words = Kernel.Folios[frame].Frame;
        ulong expected = mapping.IsNone ? 1UL : 2;
        if (await cpu.CompareExchange(words.RefCount, expected, 0) != expected)
        {
            return false;
        }

        if (!mapping.IsNone)
        {
            if (await cpu.Load(words.Dirty) != 0)
            {
                await cpu.Exchange(words.RefCount, expected);
                return false;
            }

            await Kernel.Filemap.FilemapRemoveFolio(cpu, frame, mapping);
        }

        return true;
    }
}
