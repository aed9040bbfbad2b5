using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Collapse of small anonymous pages into a huge one (mm/khugepaged.c, 6.12). The table is unhooked and everybody is flushed; then
/// nobody can reach the pages any more but those who hold references, and the reference counts tell of them. Walkers in
/// software that began before are waited for by an IPI.
/// </summary>
/// <remarks>
/// Simplified: the huge page is allocated and the pages are known to be worth it before mmap_lock is taken; pages stay on their list while
/// they are locked; no swap.
/// </remarks>
public class Khugepaged(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>Small pages of a huge one.</summary>
    protected int Span => Machine.Paging.SpanOf(1);

    /// <summary>
    /// mm/khugepaged.c: <c>collapse_huge_page</c>: false if some page could not be had.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="address">First page of the range.</param>
    public virtual async Proc<bool> CollapseHugePage(Cpu cpu, Mm mm, int address)
    {
        int huge = await cpu.AllocHugeFrames(address, Span);
        await cpu.Assert(huge >= 0, "a huge page is free");
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        PageTable pmd = await Kernel.PageWalk.TableAt(cpu, mm, address, 1);
        Pte old = await cpu.EntryRead(pmd, address, "pmdp_get");
        bool collapsed = old.Present && !old.Huge && await HugepageVmaRevalidate(cpu, mm, address) && await CollapseTable(cpu, mm, pmd, address, huge);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
        if (!collapsed)
        {
            await cpu.PutFrames(Machine.Timed is null ? ((1UL << Span) - 1) << huge : FrameSet.Of(huge), "folio_put");
        }

        return collapsed;
    }

    /// <summary>
    /// mm/khugepaged.c: <c>hugepage_vma_revalidate</c>: since the range was chosen, without mmap_lock held for writing, part of it may have been unmapped,
    /// or have got other rights than the rest: that is another area.
    /// </summary>
    public virtual async Proc<bool> HugepageVmaRevalidate(Cpu cpu, Mm mm, int address)
        => (await Kernel.MmapLock.FindVma(cpu, mm)).IsInOne(address, Span);

    /// <summary>The middle of <c>collapse_huge_page</c>, from the first notifier call on.</summary>
    [KernelName("collapse_huge_page")]
    protected virtual async Proc<bool> CollapseTable(Cpu cpu, Mm mm, PageTable pmd, int address, int huge)
    {
        await mm.AnonVma.LockWrite(cpu);
        await MmuNotifierInvalidateRangeStart(cpu, mm, address);
        await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
        Pte old = await PmdpCollapseFlush(cpu, mm, pmd, address);
        await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        await MmuNotifierInvalidateRangeEnd(cpu, mm, address);
        await TlbRemoveTableSyncOne(cpu);
        PageTable table = Kernel.PageWalk.Below(pmd, old, address);
        await cpu.SpinLock(Machine.Paging.LockOf(table.Index));
        bool isolated = await CollapseHugePageIsolate(cpu, table);
        await cpu.SpinUnlock(Machine.Paging.LockOf(table.Index));
        if (!isolated)
        {
            await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
            await cpu.EntryStore(pmd, address, old, "pmd_populate");
            await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
            await mm.AnonVma.UnlockWrite(cpu);
            return false;
        }

        await mm.AnonVma.UnlockWrite(cpu);
        await CollapseHugePageCopy(cpu, table, huge);
        await InstallHugePmd(cpu, mm, pmd, table, huge);
        return true;
    }

    /// <summary>The call of <c>pmdp_collapse_flush</c>: see <see cref="PmdCollapse"/>.</summary>
    protected virtual async Proc<Pte> PmdpCollapseFlush(Cpu cpu, Mm mm, PageTable pmd, int address)
        => await Kernel.PmdCollapse.PmdpCollapseFlush(cpu, mm, pmd, address);

    /// <summary>
    /// The call of <c>tlb_remove_table_sync_one</c> (2ba99c5e0881, 6.1): walkers with interrupts off that have read the entry
    /// which pointed to the table are done with it behind this. The flush waits for them only where it is an IPI to every one of them.
    /// </summary>
    protected virtual async Proc TlbRemoveTableSyncOne(Cpu cpu) => await Kernel.PageTableFree.TlbRemoveTableSyncOne(cpu);

    /// <summary>The call of <c>mmu_notifier_invalidate_range_start</c>.</summary>
    [KernelName]
    protected virtual async Proc MmuNotifierInvalidateRangeStart(Cpu cpu, Mm mm, int address)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, address, Span);
        }
    }

    /// <summary>The call of <c>mmu_notifier_invalidate_range_end</c>, directly behind the flush.</summary>
    [KernelName]
    protected virtual async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int address)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, address, Span);
        }
    }

    /// <summary>
    /// mm/khugepaged.c: <c>__collapse_huge_page_isolate</c>: locks every page that is mapped, and requires that all its
    /// references are those of entries; false, and none is locked, if some page cannot be had. A page that userfaultfd
    /// write-protected cannot (dd47ac428c3f, 6.4: the huge entry would lose the mark). Empty entries do not hinder
    /// (<c>max_ptes_none</c>).
    /// </summary>
    [KernelName("__collapse_huge_page_isolate")]
    public virtual async Proc<bool> CollapseHugePageIsolate(Cpu cpu, PageTable table)
    {
        FrameSet isolated = Kernel.NewFrameSet();
        for (int page = table.BasePage; page < table.BasePage + Span; page++)
        {
            Pte pte = await cpu.EntryRead(table, page);
            if (pte.IsNone)
            {
                continue;
            }

            if (!pte.Present || pte.UserfaultWp || !await IsolatePage(cpu, pte.Frame))
            {
                await ReleasePtePages(cpu, isolated);
                return false;
            }

            isolated = isolated.With(pte.Frame);
        }

        return true;
    }

    /// <summary>
    /// The loop's body in <c>__collapse_huge_page_isolate</c>: true, and the page is locked, if nobody but entries refers to it. A reference
    /// that a lockless lookup takes and drops again makes this fail without need, which does no harm.
    /// </summary>
    [KernelName]
    protected virtual async Proc<bool> IsolatePage(Cpu cpu, int frame)
    {
        if (await cpu.MutexTryLock(Kernel.Folios[frame].Lock) == 0)
        {
            return false;
        }

        if (await IsRefcountSuitable(cpu, frame))
        {
            return true;
        }

        await Kernel.Filemap.FolioUnlock(cpu, frame);
        return false;
    }

    /// <summary>mm/khugepaged.c: <c>is_refcount_suitable</c>.</summary>
    public virtual async Proc<bool> IsRefcountSuitable(Cpu cpu, int frame)
    {
        FrameWords words = Kernel.Folios[frame].Frame;
        ulong expected = await cpu.Load(words.MapCount);
        ulong references = await cpu.Load(words.RefCount, weight: StepWeight.Key, text: $"folio_ref_count(frame {frame})");
        return references == expected;
    }

    /// <summary>
    /// mm/khugepaged.c: <c>__collapse_huge_page_copy</c>. The entries are cleared without a flush: the one of the PMD came before, and
    /// nobody can have walked to them since.
    /// </summary>
    [KernelName("__collapse_huge_page_copy")]
    public virtual async Proc CollapseHugePageCopy(Cpu cpu, PageTable table, int huge)
    {
        for (int page = table.BasePage; page < table.BasePage + Span; page++)
        {
            int copy = huge + page - table.BasePage;
            Pte pte = await cpu.EntryRead(table, page);
            if (!pte.IsNone)
            {
                await cpu.CopyFrame(pte.Frame, copy, "copy_mc_user_highpage");
            }

            await cpu.Store(Kernel.Folios[copy].AnonExclusive, 1);
        }

        await Kernel.HugeMemory.FolioAddNewAnonRmapPmd(cpu, huge);
        for (int page = table.BasePage; page < table.BasePage + Span; page++)
        {
            Pte pte = await cpu.EntryRead(table, page);
            if (!pte.IsNone)
            {
                await PtepClear(cpu, table, page);
                await Kernel.Rmap.FolioRemoveRmapPte(cpu, pte.Frame);
                await Kernel.Filemap.FolioUnlock(cpu, pte.Frame);
                await cpu.PutFrames(FrameSet.Of(pte.Frame), "free_page_and_swap_cache");
            }
        }
    }

    /// <summary>The call of <c>ptep_clear</c> in <c>__collapse_huge_page_copy</c>, under the table's lock.</summary>
    protected virtual async Proc PtepClear(Cpu cpu, PageTable table, int page)
    {
        await cpu.SpinLock(Machine.Paging.LockOf(table.Index));
        await cpu.EntryExchange(table, page, Pte.None, "ptep_clear");
        await cpu.SpinUnlock(Machine.Paging.LockOf(table.Index));
    }

    /// <summary>
    /// The end of <c>collapse_huge_page</c>. The data is visible before the entry (<c>__folio_mark_uptodate</c>; x86 keeps stores in
    /// order). The table is put aside for when the page is split again.
    /// </summary>
    [KernelName("collapse_huge_page")]
    protected virtual async Proc InstallHugePmd(Cpu cpu, Mm mm, PageTable pmd, PageTable table, int huge)
    {
        await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
        await Kernel.HugeMemory.PgtableTransHugeDeposit(cpu, mm, table.BasePage, table.Index);
        Pte entry = Kernel.PteOps.PteMkdirty(Pte.Leaf(huge, (await Kernel.MmapLock.FindVma(cpu, mm)).Allows(table.BasePage, true))).With(Pte.HugeBit);
        await cpu.EntryStore(pmd, table.BasePage, entry, "set_pmd_at");
        await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
    }

    /// <summary>mm/khugepaged.c: <c>release_pte_pages</c>.</summary>
    protected virtual async Proc ReleasePtePages(Cpu cpu, FrameSet isolated)
    {
        for (FrameSet rest = isolated; !rest.IsEmpty; rest = rest.WithoutFirst)
        {
            await Kernel.Filemap.FolioUnlock(cpu, rest.First);
        }
    }
}
