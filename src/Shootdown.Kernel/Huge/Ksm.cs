using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// KSM (mm/ksm.c, 6.12): an anonymous page is replaced by another one with the same contents. The page is write-protected first, so that it
/// cannot change between the comparison and the replacement: by the process (the entry is cleared, flushed and set read-only), and by
/// whoever holds a reference (there may be none).
/// </summary>
/// <remarks>Pages are not in the swap cache.</remarks>
public class Ksm(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/ksm.c: <c>try_to_merge_with_ksm_page</c>: holds mmap_lock for reading: fork, which flushes late, cannot come in between. The page's area
    /// may be gone by then (<c>find_mergeable_vma</c>).
    /// </summary>
    public virtual async Proc<bool> TryToMergeWithKsmPage(Cpu cpu, Mm mm, int address, int frame, int stable)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        bool merged = (await Kernel.MmapLock.FindVma(cpu, mm)).Covers(address, 1) && await TryToMergeOnePage(cpu, mm, address, frame, stable);
        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        return merged;
    }

    /// <summary>
    /// mm/ksm.c: <c>try_to_merge_one_page</c>: true if the address maps the stable page now. The caller holds a reference of both pages.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="address">The page's address.</param>
    /// <param name="frame">The page.</param>
    /// <param name="stable">The page that is to take its place.</param>
    public virtual async Proc<bool> TryToMergeOnePage(Cpu cpu, Mm mm, int address, int frame, int stable)
    {
        if (await cpu.MutexTryLock(Kernel.Folios[frame].Lock) == 0)
        {
            return false;
        }

        Pte protectedEntry = await WriteProtectPage(cpu, mm, address, frame);
        bool merged = !protectedEntry.IsNone
            && await cpu.CompareFrames(frame, stable, "pages_identical") != 0
            && await ReplacePage(cpu, mm, address, frame, stable, protectedEntry);
        await Kernel.Filemap.FolioUnlock(cpu, frame);
        return merged;
    }

    /// <summary>
    /// mm/ksm.c: <c>write_protect_page</c>: the read-only entry; none if the page cannot be had. The entry is cleared and flushed before
    /// references are counted: a lockless lookup that began before holds one by then, or will find the entry changed.
    /// </summary>
    public virtual async Proc<Pte> WriteProtectPage(Cpu cpu, Mm mm, int address, int frame)
    {
        await MmuNotifierInvalidateRangeStart(cpu, mm, address);
        Pte result = Pte.None;
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, address);
        if (table.Index >= 0)
        {
            Pte entry = await cpu.EntryRead(table, address);
            if (entry.MapsFrame && entry.Frame == frame)
            {
                result = await WriteProtectPte(cpu, mm, table, address, entry);
            }

            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        }

        await MmuNotifierInvalidateRangeEnd(cpu, mm, address);
        return result;
    }

    /// <summary>The middle of <c>write_protect_page</c>, under the table's lock.</summary>
    [KernelName("write_protect_page")]
    protected virtual async Proc<Pte> WriteProtectPte(Cpu cpu, Mm mm, PageTable table, int address, Pte entry)
    {
        bool exclusive = await cpu.Load(Kernel.Folios[entry.Frame].AnonExclusive) != 0;
        if (!entry.Write && !entry.Dirty && !exclusive && !await IsFlushPending(cpu, mm))
        {
            return entry;
        }

        Pte old = await PtepClearFlush(cpu, mm, table, address);
        if (!await ReferencesAreExplained(cpu, old.Frame) || (exclusive && !await TryShare(cpu, old.Frame)))
        {
            await Restore(cpu, table, address, old);
            return Pte.None;
        }

        if (old.Dirty)
        {
            await SetPageDirty(cpu, old.Frame);
        }

        Pte protectedEntry = old.Without(Pte.WriteBit | Pte.DirtyBit);
        await Kernel.PteOps.SetPteAtNotify(cpu, mm, table, address, protectedEntry);
        return protectedEntry;
    }

    /// <summary>
    /// The test of <c>mm_tlb_flush_pending</c> in <c>write_protect_page</c>: somebody has protected the entry and not flushed yet, so a
    /// TLB may still let stores through.
    /// </summary>
    protected virtual async Proc<bool> IsFlushPending(Cpu cpu, Mm mm)
    {
        ArgumentNullException.ThrowIfNull(mm);
        return await cpu.Load(mm.TlbFlushPending, weight: StepWeight.Context) != 0;
    }

    /// <summary>The call of <c>ptep_clear_flush</c> in <c>write_protect_page</c>.</summary>
    protected virtual async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int address)
        => await Kernel.PteOps.PtepClearFlush(cpu, mm, table, address);

    /// <summary>
    /// The call of <c>folio_mark_dirty</c> in <c>write_protect_page</c>: the entry loses its dirty bit, and reclaim may discard what was
    /// given up by MADV_FREE unless one of the two says that it was stored to since.
    /// </summary>
    [KernelName("write_protect_page")]
    protected virtual async Proc SetPageDirty(Cpu cpu, int frame) => await Kernel.Filemap.FolioMarkDirty(cpu, frame);

    /// <summary>The call of <c>set_pte_at</c> in <c>write_protect_page</c> that gives the page up.</summary>
    [KernelName("write_protect_page")]
    protected virtual async Proc Restore(Cpu cpu, PageTable table, int address, Pte old) => await Kernel.PteOps.SetPteAt(cpu, table, address, old);

    /// <summary>
    /// The comparison in <c>write_protect_page</c>: the references are those of entries and this caller's. One more may be somebody
    /// who writes to the page without an entry (O_DIRECT).
    /// </summary>
    [KernelName]
    protected virtual async Proc<bool> ReferencesAreExplained(Cpu cpu, int frame)
    {
        FrameWords words = Kernel.Folios[frame].Frame;
        ulong mapped = await cpu.Load(words.MapCount);
        return await cpu.Load(words.RefCount, weight: StepWeight.Key, text: $"folio_ref_count(frame {frame})") == mapped + 1;
    }

    /// <summary>The call of <c>folio_try_share_anon_rmap_pte</c> in <c>write_protect_page</c>.</summary>
    protected virtual async Proc<bool> TryShare(Cpu cpu, int frame) => await Kernel.AnonExclusive.FolioTryShareAnonRmapPte(cpu, frame);

    /// <summary>mm/ksm.c: <c>replace_page</c>: false if the entry is not what it was left as.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="address">The page's address.</param>
    /// <param name="frame">The page.</param>
    /// <param name="stable">The page that takes its place.</param>
    /// <param name="expected">The entry as write_protect_page left it.</param>
    public virtual async Proc<bool> ReplacePage(Cpu cpu, Mm mm, int address, int frame, int stable, Pte expected)
    {
        await MmuNotifierInvalidateRangeStart(cpu, mm, address);
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, address);
        bool replaced = false;
        if (table.Index >= 0)
        {
            replaced = await cpu.EntryRead(table, address) == expected;
            if (replaced)
            {
                await cpu.AddReturn(Kernel.Folios[stable].Frame.RefCount, 1);
                await Kernel.Rmap.FolioAddRmapPte(cpu, stable);
                await Kernel.PteOps.PtepClearFlush(cpu, mm, table, address);
                await Kernel.PteOps.SetPteAtNotify(cpu, mm, table, address, MkPte(stable, expected));
                await Kernel.Rmap.FolioRemoveRmapPte(cpu, frame);
                await cpu.PutFrames(FrameSet.Of(frame), "folio_put");
            }

            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        }

        await MmuNotifierInvalidateRangeEnd(cpu, mm, address);
        return replaced;
    }

    /// <summary>
    /// The call of <c>mk_pte</c> in <c>replace_page</c>. Linux makes the entry from the area's rights alone; here it keeps the marks of
    /// userfaultfd's write protection and of soft-dirty tracking, without which the next store would be let through unreported, or the last one
    /// forgotten (scenarios <c>ksm-drops-uffd-wp</c> and <c>ksm-drops-soft-dirty</c>).
    /// </summary>
    protected virtual Pte MkPte(int stable, Pte replaced)
        => Pte.Leaf(stable, write: false).With(replaced.Bits & (Pte.UserfaultWpBit | Pte.SoftDirtyBit));

    /// <summary>The calls of <c>mmu_notifier_invalidate_range_start</c>.</summary>
    [KernelName]
    protected virtual async Proc MmuNotifierInvalidateRangeStart(Cpu cpu, Mm mm, int address)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, address, 1);
        }
    }

    /// <summary>The calls of <c>mmu_notifier_invalidate_range_end</c>.</summary>
    [KernelName]
    protected virtual async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int address)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, address, 1);
        }
    }
}
