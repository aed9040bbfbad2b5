using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Page faults on anonymous memory (mm/memory.c, arch/x86/mm/fault.c).</summary>
/// <remarks>
/// Simplified: the kernel allocates before it takes the table's lock and looks again; here it allocates under the
/// lock, which leaves out only the runs in which the page is given back. A read fault gets a page of its own, not the
/// shared zero page. There is no fork, so every page belongs to one address space alone and a write fault may always
/// re-use it.
/// </remarks>
public class PageFault(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// arch/x86/mm/fault.c: <c>do_user_addr_fault</c>, with <c>handle_mm_fault</c>: false if no area allows the
    /// access (SIGSEGV). 6.4 and later first try with the lock of the area alone; munmap and mprotect wait for that
    /// as for mmap_lock.
    /// </summary>
    public virtual async Proc<bool> HandleMmFault(Cpu cpu, Mm mm, int page, bool write)
    {
        await Kernel.MmapLock.MmapReadLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        bool allowed = areas.Allows(page, write);
        if (allowed)
        {
            await HandlePteFault(cpu, mm, page, write, areas.Allows(page, true));
        }

        await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
        return allowed;
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
    public virtual async Proc HandlePteFault(Cpu cpu, Mm mm, int page, bool write, bool mayWrite)
    {
        await Kernel.PageWalk.PteAlloc(cpu, mm, page);
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        if (table.Index < 0)
        {
            return;
        }

        Pte entry = await cpu.EntryRead(table, page);
        if (entry.IsNone)
        {
            await DoAnonymousPage(cpu, table, page, mayWrite);
        }
        else if (!entry.Present)
        {
            await DoSwapPage(cpu, mm, table, page, write, mayWrite);
        }
        else if (write && !entry.Write)
        {
            await WpPageReuse(cpu, table, page, entry);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
    }

    /// <summary>
    /// mm/memory.c: <c>do_anonymous_page</c>. In a writable area the entry is made writable and dirty at once.
    /// </summary>
    public virtual async Proc DoAnonymousPage(Cpu cpu, PageTable table, int page, bool mayWrite)
    {
        int frame = await AllocFrame(cpu, page);
        await Kernel.PteOps.SetPteAt(cpu, table, page, Pte.Leaf(frame, mayWrite, mayWrite));
    }

    /// <summary>mm/memory.c: <c>do_swap_page</c>.</summary>
    public virtual async Proc DoSwapPage(Cpu cpu, Mm mm, PageTable table, int page, bool write, bool mayWrite)
    {
        int frame = await AllocFrame(cpu, page);
        if (Kernel.Options.SwapData)
        {
            await cpu.Store(Machine.Paging.Frames[frame].Content, await cpu.Load(mm.SwapSlots[page]));
        }

        await Kernel.PteOps.SetPteAt(cpu, table, page, Pte.Leaf(frame, mayWrite, write));
    }

    /// <summary>mm/memory.c: <c>do_wp_page</c>, <c>wp_page_reuse</c>. Rights are raised without a flush.</summary>
    public virtual async Proc WpPageReuse(Cpu cpu, PageTable table, int page, Pte entry)
        => await Kernel.PteOps.SetPteAt(cpu, table, page, entry.With(Pte.WriteBit | Pte.DirtyBit));

    [KernelName]
    private static async Proc<int> AllocFrame(Cpu cpu, int page)
    {
        int frame = await cpu.AllocFrame(page);
        await cpu.Assert(frame >= 0, "a page is free");
        return frame;
    }
}
