using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// <c>fork</c> (kernel/fork.c, mm/memory.c): the child gets the parent's pages; both may only read them until one of
/// them writes. Needs <see cref="KernelOptions.AnonFolios"/>.
/// </summary>
/// <remarks>
/// Areas of the child exist from the beginning. There are no pins, so every page can be shared
/// (<c>folio_try_dup_anon_rmap_pte</c>), and write_protect_seq, which only lockless pinning reads, is no step.
/// </remarks>
public class Fork(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// kernel/fork.c: <c>dup_mmap</c>. The parent's writable entries lose that right; the flush comes at the end, still
    /// with its mmap_lock held for writing: until then no write fault can copy a page that another thread still writes
    /// through its TLB. Promises that nobody stores to the range without a fault once it has returned.
    /// </summary>
    public virtual async Proc DupMmap(Cpu cpu, Mm parent, Mm child, Promise promise)
    {
        await cpu.BeginPromise(promise);
        await Kernel.MmapLock.MmapWriteLock(cpu, parent);
        await Kernel.MmapLock.MmapWriteLock(cpu, child);
        if (parent.Areas is { } tree)
        {
            for (int i = 0; i < tree.Count; i++)
            {
                await CopyPageRange(cpu, parent, child, tree[i].Start, tree[i].End - tree[i].Start);
            }
        }
        else
        {
            await CopyPageRange(cpu, parent, child, promise.FirstPage, promise.PageCount);
        }

        await Kernel.MmapLock.MmapWriteUnlock(cpu, child);
        await FlushParent(cpu, parent);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, parent);
        await cpu.ReturnPromise(promise);
    }

    /// <summary>mm/memory.c: <c>copy_page_range</c>: table by table.</summary>
    public virtual async Proc CopyPageRange(Cpu cpu, Mm parent, Mm child, int first, int count)
    {
        int span = Machine.Paging.SpanOf(1);
        for (int page = first; page < first + count; page = (page / span + 1) * span)
        {
            await CopyPteRange(cpu, parent, child, page, Math.Min((page / span + 1) * span, first + count));
        }
    }

    /// <summary>
    /// mm/memory.c: <c>copy_pte_range</c>: both tables' locks, the child's first; nobody else knows the child yet.
    /// </summary>
    public virtual async Proc CopyPteRange(Cpu cpu, Mm parent, Mm child, int first, int end)
    {
        if (parent.Areas is not null && (await Kernel.PageWalk.TableAt(cpu, parent, first, 0)).Index < 0)
        {
            // Nothing is mapped below: pmd_none_or_clear_bad() in copy_pmd_range().
            return;
        }

        await Kernel.PageWalk.PteAlloc(cpu, child, first);
        PageTable to = await Kernel.PageWalk.PteOffsetMapLock(cpu, child, first);
        PageTable from = await Kernel.PageWalk.PteOffsetMapLock(cpu, parent, first);
        if (from.Index >= 0)
        {
            for (int page = first; page < end; page++)
            {
                await CopyPte(cpu, from, to, page);
            }

            await Kernel.PageWalk.PteUnmapUnlock(cpu, from);
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, to);
    }

    /// <summary>
    /// mm/memory.c: <c>copy_present_ptes</c>, <c>copy_nonpresent_pte</c>. Neither side's page is exclusive from now on.
    /// </summary>
    public virtual async Proc CopyPte(Cpu cpu, PageTable from, PageTable to, int page)
    {
        Pte entry = await cpu.EntryRead(from, page);
        if (entry.MapsFrame && Kernel.IsZeroFrame(entry.Frame))
        {
            await Kernel.PteOps.SetPteAt(cpu, to, page, entry);
        }
        else if (entry.MapsFrame)
        {
            Folio folio = Kernel.Folios[entry.Frame];
            await cpu.AddReturn(folio.Frame.RefCount, 1);
            await Kernel.Rmap.FolioAddRmapPte(cpu, entry.Frame);
            await cpu.Store(folio.AnonExclusive, 0);
            if (entry.Write)
            {
                entry = (await Kernel.PteOps.PtepSetWrprotect(cpu, from, page)).Without(Pte.WriteBit);
            }

            await Kernel.PteOps.SetPteAt(cpu, to, page, entry.Without(Pte.AccessedBit | Pte.UserfaultWpBit));
        }
        else if (!entry.IsNone)
        {
            Pte shared = entry.Without(Pte.WriteBit | Pte.ExclusiveBit);
            if (shared != entry)
            {
                await Kernel.PteOps.SetPteAt(cpu, from, page, shared);
            }

            await Kernel.PteOps.SetPteAt(cpu, to, page, shared.Without(Pte.UserfaultWpBit));
        }
    }

    /// <summary>The flush of <c>dup_mmap</c>.</summary>
    protected virtual async Proc FlushParent(Cpu cpu, Mm parent) => await Kernel.TlbFlush.FlushTlbMm(cpu, parent);
}
