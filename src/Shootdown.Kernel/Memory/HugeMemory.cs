using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Huge pages of anonymous memory and of files, mapped by one entry of the level above the leaf tables (mm/huge_memory.c). The lock of
/// the table that holds the entry protects it. A huge entry may be taken away for a moment, but it must never look
/// empty (<see cref="PmdpInvalidate"/>): others look without the lock and skip what is empty.
/// </summary>
/// <remarks>
/// Simplified: faults map huge pages of files only; fork, reclaim and migration split first; every small frame of a huge page has counts of its
/// own, except for the huge zero page, where the first one counts for all, and for map counts of files (<see cref="CompoundFolios"/>). Huge
/// entries of files are those of shared mappings; areas of files are never moved.
/// </remarks>
public partial class HugeMemory(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>Small pages of a huge one.</summary>
    protected int Span => Machine.Paging.SpanOf(1);

    /// <summary>
    /// mm/memory.c: the part of <c>zap_pmd_range</c> that looks at the entry, without a lock: true if there is nothing
    /// left to zap below it.
    /// </summary>
    public virtual async Proc<bool> ZapPmd(TlbGather tlb, int page, int end)
    {
        PageTable pmd = await Kernel.PageWalk.TableAt(tlb.Cpu, tlb.Mm, page, 1);
        if (pmd.Index < 0)
        {
            return true;
        }

        Pte entry = await tlb.Cpu.EntryRead(pmd, page, "pmdp_get");
        if (!entry.Huge)
        {
            return entry.IsNone && await WaitForSplit(tlb.Cpu, tlb.Mm, pmd, page);
        }

        if (end - page == Span)
        {
            return await ZapHugePmd(tlb, pmd, page);
        }

        await SplitHugePmd(tlb.Cpu, tlb.Mm, page / Span * Span);
        return false;
    }

    /// <summary>
    /// mm/huge_memory.c: <c>zap_huge_pmd</c>: false if the entry is not huge any more. The references go into the gather,
    /// that of the huge zero page too (since 2016).
    /// </summary>
    public virtual async Proc<bool> ZapHugePmd(TlbGather tlb, PageTable pmd, int page)
    {
        Pte old = await PmdTransHugeLock(tlb.Cpu, pmd, page);
        if (!old.Huge)
        {
            return false;
        }

        old = await tlb.Cpu.EntryExchange(pmd, page, Pte.None, "pmdp_huge_get_and_clear_full");
        await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 1);
        if (MapsFile(tlb.Mm, page))
        {
            await ZapFileHugePmd(tlb, old);
        }
        else
        {
            await ZapAnonHugePmd(tlb, page, old);
        }

        await tlb.Cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        await PutHugePage(tlb, old.Frame);
        return true;
    }

    /// <summary>mm/huge_memory.c: the part of <c>zap_huge_pmd</c> for anonymous memory, under the lock.</summary>
    [KernelName("zap_huge_pmd")]
    private async Proc ZapAnonHugePmd(TlbGather tlb, int page, Pte old)
    {
        await FolioRemoveRmapPmd(tlb.Cpu, old.Frame);
        if (Kernel.Options.HugeCollapse)
        {
            await ZapDepositedTable(tlb.Cpu, tlb.Mm, page);
        }
    }

    /// <summary>
    /// mm/mprotect.c: the part of <c>change_pmd_range</c> that looks at the entry: true if nothing is left to change below
    /// it. A part of a huge page is changed after a split.
    /// </summary>
    public virtual async Proc<bool> ChangePmd(TlbGather tlb, int page, int end, ProtectionChange change)
    {
        PageTable pmd = await Kernel.PageWalk.TableAt(tlb.Cpu, tlb.Mm, page, 1);
        if (pmd.Index < 0)
        {
            return true;
        }

        Pte entry = await tlb.Cpu.EntryRead(pmd, page, "pmdp_get");
        if (!entry.Huge)
        {
            return entry.IsNone && await WaitForSplit(tlb.Cpu, tlb.Mm, pmd, page);
        }

        if (end - page < Span)
        {
            await SplitHugePmd(tlb.Cpu, tlb.Mm, page / Span * Span);
            return false;
        }

        return await ChangeHugePmd(tlb, pmd, page, change);
    }

    /// <summary>
    /// mm/huge_memory.c: <c>change_huge_pmd</c>: false if the entry is not huge any more. For NUMA hinting and userfaultfd it runs with
    /// mmap_lock for reading, as MADV_DONTNEED does: the entry must not look empty at any time.
    /// </summary>
    /// <param name="tlb">The gather, which flushes later.</param>
    /// <param name="pmd">The table with the entry.</param>
    /// <param name="page">The first page that the entry maps.</param>
    /// <param name="change">What is changed.</param>
    public virtual async Proc<bool> ChangeHugePmd(TlbGather tlb, PageTable pmd, int page, ProtectionChange change)
    {
        Pte entry = await PmdTransHugeLock(tlb.Cpu, pmd, page);
        if (!entry.Huge)
        {
            return false;
        }

        if (change == ProtectionChange.NumaHint && entry.ProtNone)
        {
            await tlb.Cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
            return true;
        }

        Pte old = await PmdpInvalidateAd(tlb.Cpu, pmd, page, entry);
        Pte value = Kernel.Mprotect.PteModify(old, change);
        if (Mprotect.MayUpgrade(change) && !MapsFile(tlb.Mm, page) && await Kernel.Mprotect.WantsWriteUpgrade(tlb, page, change)
            && await Kernel.Mprotect.CanChangePteWritable(tlb.Cpu, value))
        {
            value = value.With(Pte.WriteBit);
        }

        await tlb.Cpu.EntryStore(pmd, page, value, "set_pmd_at");
        if (Kernel.PteOps.PteNeedsFlush(old, value))
        {
            await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 1);
        }

        await tlb.Cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        return true;
    }

    /// <summary>
    /// mm/huge_memory.c: <c>__split_huge_pmd</c>: the huge entry is replaced by a table of small ones with the same rights
    /// and dirtiness; that of a file by nothing. Invalidated and flushed first: small and huge translations of one page must not exist together.
    /// </summary>
    public virtual async Proc SplitHugePmd(Cpu cpu, Mm mm, int page)
    {
        if (MapsFile(mm, page))
        {
            await SplitFileHugePmd(cpu, mm, page);
            return;
        }

        int made = -1;
        if (!Kernel.Options.HugeCollapse)
        {
            made = await cpu.AllocTable(mm.Space, 0, page);
            await cpu.Assert(made >= 0, "a page-table page is free");
        }

        PageTable pmd = await Kernel.PageWalk.TableAt(cpu, mm, page, 1);
        Pte entry = await PmdTransHugeLock(cpu, pmd, page);
        if (!entry.Huge)
        {
            if (!Kernel.Options.HugeCollapse)
            {
                await cpu.FreeTable(made, "pte_free");
            }

            return;
        }

        Pte old = await PmdpInvalidate(cpu, mm, pmd, page, entry);
        if (Kernel.Options.HugeCollapse)
        {
            made = await PgtableTransHugeWithdraw(cpu, mm, page);
        }

        var table = new PageTable(made, 0, page);
        for (int i = 0; i < Span; i++)
        {
            if (Kernel.Options.AnonFolios && !CountsSmallFrames)
            {
                await Kernel.Rmap.FolioAddRmapPte(cpu, old.Frame + i);
            }

            Pte small = Pte.Leaf(old.Frame + i, old.Write, old.Dirty).With(old.Bits & (Pte.UserfaultWpBit | Pte.SoftDirtyBit));
            await Kernel.PteOps.SetPteAt(cpu, table, page + i, small);
        }

        await cpu.EntryStore(pmd, page, Pte.Table(made), "pmd_populate");
        await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
    }

    /// <summary>
    /// mm/pgtable-generic.c: <c>pmdp_invalidate</c>: hardware can no longer use the entry, but it does not look empty. The
    /// exchange returns what hardware has set up to that instant (since 2018); then everybody is flushed.
    /// </summary>
    public virtual async Proc<Pte> PmdpInvalidate(Cpu cpu, Mm mm, PageTable pmd, int page, Pte seen)
    {
        Pte old = await cpu.EntryExchange(pmd, page, seen.Without(Pte.PresentBit), "pmdp_invalidate");
        await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(page, Span));
        return old;
    }

    /// <summary>
    /// arch/x86/mm/pgtable.c: <c>pmdp_invalidate_ad</c>: the same without a flush, for callers that flush later.
    /// </summary>
    public virtual async Proc<Pte> PmdpInvalidateAd(Cpu cpu, PageTable pmd, int page, Pte seen)
        => await cpu.EntryExchange(pmd, page, seen.Without(Pte.PresentBit), "pmdp_invalidate_ad");

    /// <summary>mm/pgtable-generic.c: <c>pgtable_trans_huge_deposit</c>: under the lock of the table with the huge entry.</summary>
    public virtual async Proc PgtableTransHugeDeposit(Cpu cpu, Mm mm, int page, int table)
    {
        ArgumentNullException.ThrowIfNull(mm);
        await cpu.Store(mm.Deposited[page], (ulong)table + 1);
    }

    /// <summary>mm/pgtable-generic.c: <c>pgtable_trans_huge_withdraw</c>: the table that was put aside, with empty entries.</summary>
    public virtual async Proc<int> PgtableTransHugeWithdraw(Cpu cpu, Mm mm, int page)
    {
        ArgumentNullException.ThrowIfNull(mm);
        int table = (int)await cpu.Load(mm.Deposited[page]) - 1;
        await cpu.Assert(table >= 0, "a table was deposited for the huge page");
        await cpu.Store(mm.Deposited[page], 0);
        return table;
    }

    /// <summary>
    /// mm/huge_memory.c: <c>zap_deposited_table</c>: frees it at once: it was unhooked, flushed and waited for when it was put aside.
    /// </summary>
    protected virtual async Proc ZapDepositedTable(Cpu cpu, Mm mm, int page)
    {
        int table = await PgtableTransHugeWithdraw(cpu, mm, page);
        if (table >= 0)
        {
            await cpu.FreeTable(table, "pte_free");
        }
    }

    /// <summary>
    /// mm/huge_memory.c: <c>shrink_huge_zero_page_scan</c>: frees the huge zero page if nobody but the shrinker refers to
    /// it.
    /// </summary>
    public virtual async Proc ShrinkHugeZeroPageScan(Cpu cpu)
    {
        int frame = Kernel.HugeZeroFrame;
        const string Text = "cmpxchg(huge_zero_refcount, 1, 0)";
        if (await cpu.CompareExchange(Kernel.Folios[frame].Frame.RefCount, 1, 0, StepWeight.Key, Text) == 1)
        {
            await cpu.FreeFrames(((1UL << Span) - 1) << frame, "__free_pages");
        }
    }

    /// <summary>
    /// mm/huge_memory.c: <c>__pmd_trans_huge_lock</c>: the entry, with the lock held if it is huge.
    /// </summary>
    protected virtual async Proc<Pte> PmdTransHugeLock(Cpu cpu, PageTable pmd, int page)
    {
        await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
        Pte entry = await cpu.EntryRead(pmd, page, "pmdp_get");
        if (!entry.Huge)
        {
            await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        }

        return entry;
    }

    /// <summary>
    /// mm/rmap.c: <c>folio_add_new_anon_rmap</c>, for a huge page that no entry maps yet: the entry counts as one mapping of every small frame.
    /// </summary>
    public virtual async Proc FolioAddNewAnonRmapPmd(Cpu cpu, int frame)
    {
        for (int i = 0; CountsSmallFrames && i < Span; i++)
        {
            await cpu.Store(Kernel.Folios[frame + i].Frame.MapCount, 1);
        }
    }

    /// <summary>mm/rmap.c: <c>folio_remove_rmap_pmd</c>: under the table's lock.</summary>
    protected virtual async Proc FolioRemoveRmapPmd(Cpu cpu, int frame)
    {
        for (int i = 0; CountsSmallFrames && Kernel.Options.AnonFolios && i < Span; i++)
        {
            await Kernel.Rmap.FolioRemoveRmapPte(cpu, frame + i);
        }
    }

    /// <summary>True if every small frame of a huge page has counts of its own; false if the page is one folio.</summary>
    protected virtual bool CountsSmallFrames => true;

    private int FoliosOf(int frame) => frame == Kernel.HugeZeroFrame || !CountsSmallFrames ? 1 : Span;

    /// <summary>mm/huge_memory.c: the end of <c>zap_huge_pmd</c>: the gather gets the references.</summary>
    protected virtual async Proc PutHugePage(TlbGather tlb, int frame)
    {
        bool isFull = false;
        for (int i = 0; i < FoliosOf(frame); i++)
        {
            isFull |= await Kernel.MmuGather.TlbRemovePage(tlb, frame + i, false);
        }

        if (isFull)
        {
            await Kernel.MmuGather.TlbFlushMmu(tlb);
        }
    }
}
