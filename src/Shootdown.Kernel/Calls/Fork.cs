using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// <c>fork</c> (kernel/fork.c, mm/memory.c): the child gets the parent's pages; both may only read them until one of
/// them writes. Needs <see cref="KernelOptions.AnonFolios"/>.
/// </summary>
/// <remarks>
/// Areas of the child exist from the beginning. Where nothing is pinned, every page can be shared, and write_protect_seq, which
/// only lockless pinning reads, is no step. The copy of a pinned page is made under the tables' locks; the kernel allocates before.
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

    /// <summary>
    /// mm/memory.c: <c>copy_page_range</c>: table by table. write_protect_seq is odd meanwhile (57efa1fe5957, 5.11): between the
    /// look for pins and the write protection of an entry a lockless pin would go unnoticed.
    /// </summary>
    public virtual async Proc CopyPageRange(Cpu cpu, Mm parent, Mm child, int first, int count)
    {
        if (parent.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, parent, first, count);
        }

        await RawWriteSeqcount(cpu, parent, "raw_write_seqcount_begin");
        await CopyTables(cpu, parent, child, first, count);
        await RawWriteSeqcount(cpu, parent, "raw_write_seqcount_end");
        if (parent.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, parent, first, count);
        }
    }

    /// <summary>
    /// include/linux/seqlock.h: <c>raw_write_seqcount_begin(&amp;mm->write_protect_seq)</c> and its end. Plain stores with a write barrier
    /// on x86; the locked write protection of the entry orders the first against the read of pins only by way of the table's lock.
    /// </summary>
    protected virtual async Proc RawWriteSeqcount(Cpu cpu, Mm mm, string function)
    {
        if (Kernel.Options.WriteProtectSeq)
        {
            await cpu.AddReturn(mm.WriteProtectSeq, 1, StepWeight.Key, $"{function}({mm.WriteProtectSeq.Name})");
        }
    }

    /// <summary>
    /// mm/memory.c: <c>copy_page_range</c>, between the two halves of the notifier: table by table. A shared mapping of a file is not copied
    /// (<c>vma_needs_copy</c>): faults of the child map it, with huge entries too.
    /// </summary>
    [KernelName("copy_page_range")]
    protected virtual async Proc CopyTables(Cpu cpu, Mm parent, Mm child, int first, int count)
    {
        int span = Machine.Paging.SpanOf(1);
        for (int page = first; page < first + count; page = (page / span + 1) * span)
        {
            if (!Kernel.HugeMemory.MapsFile(parent, page))
            {
                await CopyPteRange(cpu, parent, child, page, Math.Min((page / span + 1) * span, first + count));
            }
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
        if (entry.MapsFrame && !Kernel.FolioKinds.IsCopied(entry.Frame))
        {
            return;
        }

        if (entry.MapsFrame && Kernel.IsZeroFrame(entry.Frame))
        {
            await Kernel.PteOps.SetPteAt(cpu, to, page, entry);
        }
        else if (entry.MapsFrame)
        {
            Folio folio = Kernel.Folios[entry.Frame];
            await cpu.AddReturn(folio.Frame.RefCount, 1);
            await Kernel.Rmap.FolioAddRmapPte(cpu, entry.Frame);
            if (!await Kernel.AnonExclusive.FolioTryDupAnonRmapPte(cpu, entry.Frame))
            {
                await CopyPresentPage(cpu, to, page, entry);
                return;
            }

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

    /// <summary>
    /// mm/memory.c: <c>copy_present_page</c>: the child gets a copy at once, so that the parent's page can stay its own.
    /// </summary>
    protected virtual async Proc CopyPresentPage(Cpu cpu, PageTable to, int page, Pte entry)
    {
        int copy = await Kernel.PageFault.AllocFrame(cpu, page);
        await cpu.CopyFrame(entry.Frame, copy, "copy_mc_user_highpage");
        await Kernel.PageFault.FolioAddNewAnonRmap(cpu, copy);
        await Kernel.PteOps.SetPteAt(cpu, to, page, Kernel.PteOps.PteMkdirty(Pte.Leaf(copy, write: true)));
        await Kernel.Rmap.FolioRemoveRmapPte(cpu, entry.Frame);
        await cpu.PutFrames(FrameSet.Of(entry.Frame), "folio_put");
    }

    /// <summary>The flush of <c>dup_mmap</c>.</summary>
    protected virtual async Proc FlushParent(Cpu cpu, Mm parent) => await Kernel.TlbFlush.FlushTlbMm(cpu, parent);
}
