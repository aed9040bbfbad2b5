using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Page tables that processes share (mm/hugetlb.c, 6.12): the tables of a hugetlbfs file that several processes map at the same
/// place. A table counts its other users; who leaves takes his own entry away and lowers the count, whoever is last frees the
/// table. i_mmap_rwsem orders all of them.
/// </summary>
/// <remarks>
/// The level that is shared (PMD tables) is the lowest here: its entries map huge pages, of which the machine sees one small one. No reference
/// of the page cache: the file was truncated, so the last mapping frees a page.
/// </remarks>
public class Hugetlb : Mechanism
{
    /// <summary>How many other processes share each page table (<c>pt_share_count</c>).</summary>
    protected ImmutableArray<Word> ShareCounts { get; } = [];

    /// <summary>Makes the counts, where tables can be shared.</summary>
    public Hugetlb(KernelModel kernel)
        : base(kernel)
    {
        if (Machine.Options.SharedTables)
        {
            ShareCounts = [.. Enumerable.Range(0, Machine.Paging.TableCount).Select(table => Machine.NewWord($"table{table}.pt_share_count"))];
        }
    }

    /// <summary>Initial state: a second address space uses the table of the first.</summary>
    public void BuildShared(Mm owner, Mm user, int page)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentNullException.ThrowIfNull(user);
        PageTable table = Machine.Paging.BuildPath(owner.Space, page);
        int entry = Machine.Paging.EntryAddressOf(Kernel.PageWalk.Root(user), page);
        Machine.SetInitial(entry, Pte.Table(table.Index).Bits);
        Word count = ShareCounts[table.Index];
        Machine.SetInitial(count.Address, Machine.WordInfo(count.Address).Initial + 1);
    }

    /// <summary>mm/mmap.c: <c>munmap</c> of an area of hugetlbfs, from one PUD entry to the next.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="file">The file.</param>
    /// <param name="first">The area's first page.</param>
    /// <param name="count">Its number of pages.</param>
    /// <param name="promise">What is promised, of all pages or some.</param>
    public virtual async Proc DoMunmap(Cpu cpu, Mm mm, FileMapping file, int first, int count, Promise promise)
    {
        await cpu.BeginPromise(promise);
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        await UnmapVmas(tlb, file, first, count);
        await Kernel.PageTableFree.FreePteRange(tlb, first, 1);
        await Kernel.MmuGather.TlbFinishMmu(tlb);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
        await cpu.ReturnPromise(promise);
    }

    /// <summary>
    /// mm/memory.c: <c>unmap_vmas</c> of one area of hugetlbfs. Notifiers are told of all that a shared table maps
    /// (<c>adjust_range_if_pmd_sharing_possible</c>).
    /// </summary>
    public virtual async Proc UnmapVmas(TlbGather tlb, FileMapping file, int first, int count)
    {
        if (tlb.Mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(tlb.Cpu, tlb.Mm, first, count);
        }

        await IMmapLockWrite(tlb.Cpu, file);
        await UnmapHugepageRange(tlb, first, count);
        await IMmapUnlockWrite(tlb.Cpu, file);
        if (tlb.Mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(tlb.Cpu, tlb.Mm, first, count);
        }
    }

    /// <summary>
    /// mm/hugetlb.c: <c>__unmap_hugepage_range</c>: gives up the table if it is shared, or else clears its entries. A table that was given
    /// up is flushed before i_mmap_rwsem is dropped: from then on the last user may free the pages and the table, and his flush
    /// does not know this address space.
    /// </summary>
    [KernelName("__unmap_hugepage_range")]
    public virtual async Proc UnmapHugepageRange(TlbGather tlb, int first, int count)
    {
        bool forceFlush = false;
        await Kernel.MmuGather.TlbStartVma(tlb, null);
        PageTable pud = Kernel.PageWalk.Root(tlb.Mm);
        for (int page = first; page < first + count; page++)
        {
            PageTable table = await Kernel.PageWalk.PteOffsetMapLock(tlb.Cpu, tlb.Mm, page);
            if (table.Index < 0)
            {
                continue;
            }

            if (await HugePmdUnshare(tlb.Cpu, pud, table, page))
            {
                await Kernel.PageWalk.PteUnmapUnlock(tlb.Cpu, table);
                await TlbFlushPmdRange(tlb, page);
                forceFlush = true;
                continue;
            }

            Pte old = await Kernel.PteOps.PtepGetAndClear(tlb.Cpu, table, page);
            if (old.Present)
            {
                await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 0);
                await Kernel.MmuGather.TlbRemovePage(tlb, old.Frame, false);
            }

            await Kernel.PageWalk.PteUnmapUnlock(tlb.Cpu, table);
        }

        await Kernel.MmuGather.TlbEndVma(tlb);
        if (forceFlush)
        {
            await Kernel.MmuGather.TlbFlushMmuTlbonly(tlb);
        }
    }

    /// <summary>
    /// mm/hugetlb.c: <c>huge_pmd_unshare</c>: false if nobody else uses the table. Under the table's lock and i_mmap_rwsem for writing.
    /// </summary>
    public virtual async Proc<bool> HugePmdUnshare(Cpu cpu, PageTable pud, PageTable table, int page)
    {
        if (await cpu.Load(ShareCounts[table.Index], weight: StepWeight.Key) == 0)
        {
            return false;
        }

        await cpu.EntryStore(pud, page, Pte.None, "pud_clear");
        await cpu.AddReturn(ShareCounts[table.Index], -1);
        return true;
    }

    /// <summary>
    /// mm/hugetlb.c: <c>huge_pmd_share</c>: takes the table that another address space has there, if any; under i_mmap_rwsem for reading.
    /// </summary>
    public virtual async Proc<bool> HugePmdShare(Cpu cpu, Mm mm, Mm other, FileMapping file, int page)
    {
        ArgumentNullException.ThrowIfNull(file);
        await file.MmapRwsem.LockRead(cpu);
        PageTable found = await Kernel.PageWalk.TableAt(cpu, other, page, 0);
        bool shared = false;
        if (found.Index >= 0)
        {
            await cpu.AddReturn(ShareCounts[found.Index], 1);
            PageTable pud = Kernel.PageWalk.Root(mm);
            await cpu.SpinLock(Machine.Paging.LockOf(pud.Index));
            shared = (await cpu.EntryRead(pud, page, "pudp_get")).IsNone;
            if (shared)
            {
                await cpu.EntryStore(pud, page, Pte.Table(found.Index), "pud_populate");
            }

            await cpu.SpinUnlock(Machine.Paging.LockOf(pud.Index));
            if (!shared)
            {
                await cpu.AddReturn(ShareCounts[found.Index], -1);
            }
        }

        await file.MmapRwsem.UnlockRead(cpu);
        return shared;
    }

    /// <summary>
    /// include/asm-generic/tlb.h: <c>tlb_flush_pmd_range</c>: all that the PUD entry mapped, as entries that were cleared; and that a table
    /// was unhooked, so that lazy CPUs are flushed too. The kernel to 6.12 does not say the latter: see the scenario hugetlb-unshare-lazy.
    /// </summary>
    protected virtual async Proc TlbFlushPmdRange(TlbGather tlb, int page)
    {
        int span = Machine.Paging.SpanOf(1);
        for (int each = page / span * span; each < (page / span * span) + span; each++)
        {
            await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, each, 0);
        }

        await TlbUnsharePmd(tlb, page);
    }

    /// <summary>The unhooked table, as one that is freed: another user may free it as soon as i_mmap_rwsem is dropped.</summary>
    [KernelName]
    protected virtual async Proc TlbUnsharePmd(TlbGather tlb, int page) => await Kernel.MmuGather.TlbRemoveTableEntry(tlb, page, 1);

    /// <summary>include/linux/fs.h: <c>i_mmap_lock_write</c>.</summary>
    protected virtual async Proc IMmapLockWrite(Cpu cpu, FileMapping file)
    {
        ArgumentNullException.ThrowIfNull(file);
        await file.MmapRwsem.LockWrite(cpu);
    }

    /// <summary>include/linux/fs.h: <c>i_mmap_unlock_write</c>.</summary>
    protected virtual async Proc IMmapUnlockWrite(Cpu cpu, FileMapping file)
    {
        ArgumentNullException.ThrowIfNull(file);
        await file.MmapRwsem.UnlockWrite(cpu);
    }
}
