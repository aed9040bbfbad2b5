using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <content>
/// Entries that map a huge folio of the page cache (mm/huge_memory.c, mm/memory.c, mm/rmap.c). No table is put aside for them: a split leaves
/// nothing, and faults bring the pages back.
/// </content>
public partial class HugeMemory
{
    /// <summary>True if a huge entry there maps the page cache.</summary>
    public bool MapsFile(Mm mm, int page)
    {
        ArgumentNullException.ThrowIfNull(mm);
        return Kernel.Options.HugeFiles && mm.FileAreaOf(page)?.Kind == FileAreaKind.Shared;
    }

    /// <summary>include/linux/pgtable.h: <c>pmd_none</c>, read without a lock.</summary>
    public virtual async Proc<bool> PmdNone(Cpu cpu, Mm mm, int page)
    {
        PageTable pmd = await Kernel.PageWalk.TableAt(cpu, mm, page, 1);
        return pmd.Index < 0 || (await cpu.EntryRead(pmd, page, "pmdp_get")).IsNone;
    }

    /// <summary>
    /// mm/memory.c: <c>do_set_pmd</c>: one entry for a whole folio, which the caller has locked. False if the area does not allow it, or something
    /// is there by now: then a small entry must do.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="area">The area.</param>
    /// <param name="page">The page of the fault.</param>
    /// <param name="folio">First frame of the folio.</param>
    /// <param name="write">True for a write fault, whose folio has been marked dirty.</param>
    public virtual async Proc<bool> DoSetPmd(Cpu cpu, FileArea area, int page, int folio, bool write)
    {
        ArgumentNullException.ThrowIfNull(area);
        int first = page / Span * Span;
        if (!await TranshugeVmaSuitable(cpu, area, first))
        {
            return false;
        }

        PageTable pmd = await Kernel.PageWalk.TableAlloc(cpu, area.Mm, first, 1);
        await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
        bool isFree = await IsPmdNone(cpu, pmd, first);
        if (isFree)
        {
            for (int i = 0; i < Span; i++)
            {
                await cpu.AddReturn(Kernel.Folios[folio + i].Frame.RefCount, 1);
            }

            await Kernel.Rmap.FolioAddRmapPte(cpu, folio);
            await cpu.EntryStore(pmd, first, Kernel.PteOps.MkWritable(folio, write, write).With(Pte.HugeBit), "set_pmd_at");
        }

        await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        return isFree;
    }

    /// <summary>The look of <c>do_set_pmd</c> at the entry, under its lock.</summary>
    [KernelName]
    protected virtual async Proc<bool> IsPmdNone(Cpu cpu, PageTable pmd, int page) => (await cpu.EntryRead(pmd, page, "pmdp_get")).IsNone;

    /// <summary>
    /// include/linux/huge_mm.h: <c>transhuge_vma_suitable</c>, with mmap_lock held: the area covers all of the huge page, with the same rights.
    /// </summary>
    public virtual async Proc<bool> TranshugeVmaSuitable(Cpu cpu, FileArea area, int first)
    {
        ArgumentNullException.ThrowIfNull(area);
        if (first < area.First || first + Span > area.First + area.Count)
        {
            return false;
        }

        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, area.Mm);
        bool same = areas.Covers(first, Span);
        for (int i = 1; i < Span; i++)
        {
            same &= areas.Allows(first + i, true) == areas.Allows(first, true);
        }

        return same;
    }

    /// <summary>
    /// mm/huge_memory.c: the part of <c>zap_huge_pmd</c> for a file, under the lock: the dirty bit moves to the folio.
    /// </summary>
    /// <remarks>
    /// As <c>zap_pte_range</c> does for small pages, what was dirty is flushed before the lock is dropped and counts as mapped until then
    /// (<see cref="FlushesDirtyHugePage"/>): writeback waits for that, and nobody stores to a clean page through what a TLB still holds. Linux (6.1)
    /// leaves the flush to the gather: shmem's huge folios are not written back, and those of CONFIG_READ_ONLY_THP_FOR_FS not mapped writable.
    /// </remarks>
    protected virtual async Proc ZapFileHugePmd(TlbGather tlb, Pte old)
    {
        if (old.Dirty)
        {
            await Kernel.Filemap.FolioMarkDirty(tlb.Cpu, old.Frame);
            if (FlushesDirtyHugePage)
            {
                await Kernel.MmuGather.TlbFlushMmuTlbonly(tlb);
            }
        }

        await Kernel.Rmap.FolioRemoveRmapPte(tlb.Cpu, old.Frame);
    }

    /// <summary>True if a dirty huge page of a file is flushed before the lock is dropped.</summary>
    protected virtual bool FlushesDirtyHugePage => true;

    /// <summary>
    /// mm/huge_memory.c: <c>__split_huge_pmd</c> for a file (<c>__split_huge_pmd_locked</c>): the entry is cleared and flushed, and no table takes its
    /// place. Whoever asked for small entries finds none; faults map pages again.
    /// </summary>
    public virtual async Proc SplitFileHugePmd(Cpu cpu, Mm mm, int page)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, page, Span);
        }

        PageTable pmd = await Kernel.PageWalk.TableAt(cpu, mm, page, 1);
        Pte old = await PmdTransHugeLock(cpu, pmd, page);
        if (old.Huge)
        {
            old = await PmdpHugeClearFlush(cpu, mm, pmd, page);
            if (old.Dirty)
            {
                await Kernel.Filemap.FolioMarkDirty(cpu, old.Frame);
            }

            await Kernel.Rmap.FolioRemoveRmapPte(cpu, old.Frame);
            await cpu.PutFrames(Kernel.CompoundFolios.AllFrames(old.Frame), "put_page");
            await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        }

        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, page, Span);
        }
    }

    /// <summary>
    /// mm/memory.c: the lock that <c>zap_pmd_range</c> takes and drops where the entry of a file's mapping is empty: whoever splits a huge entry clears
    /// it first and flushes then, both under that lock, and this call may not return before the flush. True: there is nothing to do below.
    /// </summary>
    /// <remarks>
    /// Linux (6.1) does so only while it truncates one folio. mprotect and madvise do not wait there: for as long as the IPI takes they may return while
    /// a CPU still has the old translation.
    /// </remarks>
    protected virtual async Proc<bool> WaitForSplit(Cpu cpu, Mm mm, PageTable pmd, int page)
    {
        if (MapsFile(mm, page))
        {
            await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
            await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        }

        return true;
    }

    /// <summary>mm/pgtable-generic.c: <c>pmdp_huge_clear_flush</c>.</summary>
    public virtual async Proc<Pte> PmdpHugeClearFlush(Cpu cpu, Mm mm, PageTable pmd, int page)
    {
        Pte old = await cpu.EntryExchange(pmd, page, Pte.None, "pmdp_huge_get_and_clear");
        await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(page, Span));
        return old;
    }

    /// <summary>
    /// include/linux/huge_mm.h: <c>split_huge_pmd</c>, for those that walk small entries only: clear_refs and madvise. The kernel changes the huge entry
    /// where they cover all of it.
    /// </summary>
    public virtual async Proc SplitFileHugePmdIfAny(Cpu cpu, Mm mm, int page)
    {
        if (!MapsFile(mm, page))
        {
            return;
        }

        PageTable pmd = await Kernel.PageWalk.TableAt(cpu, mm, page, 1);
        if (pmd.Index >= 0 && (await cpu.EntryRead(pmd, page, "pmdp_get")).Huge)
        {
            await SplitFileHugePmd(cpu, mm, page / Span * Span);
        }
    }

    /// <summary>
    /// mm/rmap.c: the part of <c>page_vma_mkclean_one</c> for a huge entry, under its lock: never empty meanwhile, and flushed before it is set again.
    /// </summary>
    public virtual async Proc<bool> PageMkcleanPmd(Cpu cpu, Mm mm, PageTable pmd, int page, Pte entry)
    {
        if (!entry.Dirty && !entry.Write)
        {
            return false;
        }

        Pte old = await PmdpInvalidate(cpu, mm, pmd, page, entry);
        await cpu.EntryStore(pmd, page, old.Without(Pte.WriteBit | Pte.DirtyBit), "set_pmd_at");
        return true;
    }

    /// <summary>
    /// mm/huge_memory.c: <c>follow_trans_huge_pmd</c>: a reference or a pin of a part of the huge page; negative if no huge entry allows
    /// the access.
    /// </summary>
    public virtual async Proc<int> FollowTransHugePmd(GupCall call, GupFlags flags)
    {
        ArgumentNullException.ThrowIfNull(call);
        PageTable pmd = await Kernel.PageWalk.TableAt(call.Cpu, call.Mm, call.Page, 1);
        Pte entry = pmd.Index < 0 ? Pte.None : await PmdTransHugeLock(call.Cpu, pmd, call.Page);
        if (!entry.Huge)
        {
            return -1;
        }

        int frame = entry.Present && ((flags & GupFlags.Write) == 0 || entry.Write) ? entry.Frame + (call.Page % Span) : -1;
        if (frame >= 0)
        {
            await Kernel.Gup.TryGrabFolioFast(call, frame);
        }

        await call.Cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        return frame;
    }
}
