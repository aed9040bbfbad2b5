using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Page faults (mm/memory.c, arch/x86/mm/fault.c); those on files are in <see cref="FileFault"/>.</summary>
/// <remarks>
/// Simplified: for anonymous memory the kernel allocates before it takes the table's lock and looks again; here it
/// allocates under the lock, which leaves out only the runs in which the page is given back. A read fault gets a page
/// of its own, not the shared zero page.
/// </remarks>
public class PageFault(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// arch/x86/mm/fault.c: <c>do_user_addr_fault</c>, with <c>handle_mm_fault</c>: false if no area allows the
    /// access (SIGSEGV), or there is nothing to map (SIGBUS). 6.4 and later first try with the lock of the area alone; munmap and mprotect wait for that
    /// as for mmap_lock.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="page">The page.</param>
    /// <param name="write">True for a write fault.</param>
    /// <param name="force">True for FOLL_FORCE: a write fault also where the area is read-only.</param>
    public virtual async Proc<bool> HandleMmFault(Cpu cpu, Mm mm, int page, bool write, bool force = false)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        bool handled = areas.Allows(page, write && !force)
            && ((Kernel.Options.Thp && await Kernel.HugeMemory.HandleHugePmd(cpu, mm, page, write, areas.Allows(page, true)))
                || await HandlePteFault(cpu, mm, page, write, areas.Allows(page, true)));
        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        return handled;
    }

    /// <summary>
    /// mm/memory.c: <c>handle_pte_fault</c>. A fault on an entry that allows the access is spurious (another CPU was
    /// faster, or rights were raised without a flush): hardware dropped the old translation as it faulted, so nothing
    /// is left to do.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="page">The page.</param>
    /// <param name="write">True for a write fault.</param>
    /// <param name="mayWrite">True if the area allows writing.</param>
    public virtual async Proc<bool> HandlePteFault(Cpu cpu, Mm mm, int page, bool write, bool mayWrite)
    {
        if (Kernel.HugeMemory.MapsFile(mm, page) && await Kernel.HugeMemory.PmdNone(cpu, mm, page))
        {
            // No table is made before it is known that a huge entry will not do.
            return await Kernel.FileFault.DoFault(cpu, mm.FileAreaOf(page)!, page, write);
        }

        await Kernel.PageWalk.PteAlloc(cpu, mm, page);
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        if (table.Index < 0)
        {
            return true;
        }

        Pte entry = await cpu.EntryRead(table, page);
        FileArea? area = mm.FileAreaOf(page);
        if (entry.IsNone && area is not null)
        {
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
            return await Kernel.FileFault.DoFault(cpu, area, page, write);
        }

        if (entry.IsMigration)
        {
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
            await Kernel.Migrate.MigrationEntryWait(cpu, entry.Frame);
            return true;
        }

        if (entry.ProtNone)
        {
            await Kernel.NumaHinting.DoNumaPage(cpu, mm, table, page, entry, mayWrite);
            return true;
        }

        if (entry.Present && write && !entry.Write)
        {
            await DoWpPage(cpu, mm, table, page, entry);
            return true;
        }

        if (entry.IsNone)
        {
            await DoAnonymousPage(cpu, table, page, mayWrite, write);
        }
        else if (!entry.Present)
        {
            await DoSwapPage(cpu, mm, table, page, write, mayWrite);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        return true;
    }

    /// <summary>
    /// mm/memory.c: <c>do_anonymous_page</c>. In a writable area the entry is made writable and dirty at once.
    /// </summary>
    public virtual async Proc DoAnonymousPage(Cpu cpu, PageTable table, int page, bool mayWrite, bool write)
    {
        if (Kernel.Options.ZeroPage && !write)
        {
            await Kernel.PteOps.SetPteAt(cpu, table, page, Pte.Leaf(Kernel.ZeroFrame, write: false));
            return;
        }

        int frame = await AllocFrame(cpu, page);
        await FolioAddNewAnonRmap(cpu, frame);
        await Kernel.PteOps.SetPteAt(cpu, table, page, Kernel.PteOps.MkWritable(frame, mayWrite, mayWrite));
    }

    /// <summary>mm/memory.c: <c>do_swap_page</c>.</summary>
    public virtual async Proc DoSwapPage(Cpu cpu, Mm mm, PageTable table, int page, bool write, bool mayWrite)
    {
        int frame = await AllocFrame(cpu, page);
        if (Kernel.Options.SwapData)
        {
            await cpu.Store(Machine.Paging.Frames[frame].Content, await cpu.Load(mm.SwapSlots[page]));
        }

        await FolioAddNewAnonRmap(cpu, frame);
        ulong marks = Kernel.Options.UserfaultWp || Kernel.Options.SoftDirty
            ? (await cpu.EntryRead(table, page)).Bits & (Pte.UserfaultWpBit | Pte.SoftDirtyBit) : 0;
        bool writable = mayWrite && (marks & Pte.UserfaultWpBit) == 0 && (write || !NeedsSoftDirtyWp(marks));
        Pte value = Kernel.PteOps.MkWritable(frame, writable, writable && write).With(marks);
        await Kernel.PteOps.SetPteAt(cpu, table, page, value);
    }

    /// <summary>mm/internal.h: <c>pte_needs_soft_dirty_wp</c>: the first store must be noted.</summary>
    protected virtual bool NeedsSoftDirtyWp(ulong marks) => Kernel.Options.SoftDirty && (marks & Pte.SoftDirtyBit) == 0;

    /// <summary>
    /// mm/memory.c: <c>do_wp_page</c>: a write fault on a read-only entry. Entered with the table's lock, which it
    /// drops.
    /// </summary>
    public virtual async Proc DoWpPage(Cpu cpu, Mm mm, PageTable table, int page, Pte entry)
    {
        if (entry.UserfaultWp)
        {
            await Kernel.Userfaultfd.HandleUserfault(cpu, mm, table);
            return;
        }

        await FlushPendingWriteProtection(cpu, mm, page);
        if (mm.FileAreaOf(page) is { } area && area.Kind != FileAreaKind.Private)
        {
            await Kernel.FileFault.WpPageShared(cpu, area, table, page, entry);
        }
        else if (await WpCanReuseAnonFolio(cpu, entry.Frame))
        {
            await WpPageReuse(cpu, table, page, entry);
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        }
        else
        {
            await cpu.AddReturn(Kernel.Folios[entry.Frame].Frame.RefCount, 1);
            await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
            await Kernel.CopyOnWrite.WpPageCopy(cpu, mm, page, entry);
        }
    }

    /// <summary>
    /// The flush of <c>do_wp_page</c>. Whoever protects pages by userfaultfd holds mmap_lock only for reading and
    /// flushes later: a TLB may still let stores through to the page that is about to be copied.
    /// </summary>
    protected virtual async Proc FlushPendingWriteProtection(Cpu cpu, Mm mm, int page)
    {
        if (Kernel.Options.UserfaultWp && await cpu.Load(mm.TlbFlushPending, weight: StepWeight.Context) != 0)
        {
            await Kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
        }
    }

    /// <summary>
    /// mm/memory.c: <c>wp_page_reuse</c>, with the table's lock held. Rights are raised without a flush.
    /// </summary>
    public virtual async Proc WpPageReuse(Cpu cpu, PageTable table, int page, Pte entry)
        => await Kernel.PteOps.SetPteAt(cpu, table, page, Kernel.PteOps.PteMkdirty(entry).With(Pte.WriteBit));

    /// <summary>
    /// mm/memory.c: <c>wp_can_reuse_anon_folio</c>, with the test of the exclusive mark: always, if no anonymous page
    /// has more than one user.
    /// </summary>
    protected virtual async Proc<bool> WpCanReuseAnonFolio(Cpu cpu, int frame)
        => !Kernel.Options.AnonFolios || await Kernel.CopyOnWrite.WpCanReuseAnonFolio(cpu, frame);

    /// <summary>mm/rmap.c: <c>folio_add_new_anon_rmap</c>: one mapping, exclusive.</summary>
    public virtual async Proc FolioAddNewAnonRmap(Cpu cpu, int frame)
    {
        if (Kernel.Options.AnonFolios)
        {
            await cpu.Store(Kernel.Folios[frame].Frame.MapCount, 1);
            await cpu.Store(Kernel.Folios[frame].AnonExclusive, 1);
        }

        if (Kernel.Options.Lazyfree)
        {
            await cpu.Store(Kernel.Folios[frame].Lazyfree, 0);
        }

        await Kernel.LruLists.FolioAddLru(cpu, frame);
    }

    /// <summary>mm/page_alloc.c: the allocator, down to <c>prep_new_page</c>.</summary>
    [KernelName]
    public virtual async Proc<int> AllocFrame(Cpu cpu, int page)
    {
        int frame = await cpu.AllocFrame(page);
        await cpu.Assert(frame >= 0, "a page is free");
        if (Kernel.Options.HugeFiles)
        {
            await Kernel.CompoundFolios.PrepNewPage(cpu, frame);
        }

        return frame;
    }
}
