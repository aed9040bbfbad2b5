using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Copy-on-write of anonymous memory (mm/memory.c): a write fault on a page that is, or may be, shared with another
/// process. Used with <see cref="KernelOptions.AnonFolios"/>; without it no page is shared.
/// </summary>
public class CopyOnWrite(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/memory.c: <c>wp_can_reuse_anon_folio</c>, with the test of the exclusive mark (<c>PageAnonExclusive</c>) that
    /// <c>do_wp_page</c> makes first. Runs under the table's lock. A page that only this entry refers to is exclusive
    /// from now on.
    /// </summary>
    public virtual async Proc<bool> WpCanReuseAnonFolio(Cpu cpu, int frame)
    {
        Folio folio = Kernel.Folios[frame];
        if (!(await Kernel.Rmap.FolioMappingOf(cpu, frame)).IsNone)
        {
            return false;
        }

        if (await cpu.Load(folio.AnonExclusive, weight: StepWeight.Context) != 0)
        {
            return true;
        }

        if (await cpu.Load(folio.Frame.RefCount, weight: StepWeight.Context) != 1
            || await cpu.MutexTryLock(folio.Lock) == 0)
        {
            return false;
        }

        bool alone = await cpu.Load(folio.Frame.RefCount) == 1;
        if (alone)
        {
            await cpu.Store(folio.AnonExclusive, 1);
        }

        await Kernel.Filemap.FolioUnlock(cpu, frame);
        return alone;
    }

    /// <summary>
    /// include/linux/mm.h: <c>maybe_mkwrite</c>: false only where the area is read-only, which FOLL_FORCE can write to in private
    /// mappings of files.
    /// </summary>
    public virtual async Proc<bool> MaybeMkwrite(Cpu cpu, Mm mm, int page)
    {
        ArgumentNullException.ThrowIfNull(mm);
        return mm.FileAreaOf(page)?.Kind != FileAreaKind.Private || (await Kernel.MmapLock.FindVma(cpu, mm)).Allows(page, true);
    }

    /// <summary>
    /// mm/memory.c: <c>wp_page_copy</c>. Entered without the table's lock, which <c>do_wp_page</c> has dropped,
    /// with a reference of the old page, which is given back here. Behind the copy the entry must be what it was. That the contents are what they
    /// were rests on the entry having been read-only, in all TLBs too. The old entry is flushed before the new one is
    /// set, so that no CPU sees the copy while another still uses the original.
    /// </summary>
    public virtual async Proc WpPageCopy(Cpu cpu, Mm mm, int page, Pte entry)
    {
        FrameSet original = FrameSet.Of(entry.Frame);
        int copy = await Kernel.PageFault.AllocFrame(cpu, page);
        await cpu.CopyFrame(entry.Frame, copy, "wp_page_copy_user");
        await MmuNotifierInvalidateRangeStart(cpu, mm, page);
        PageTable again = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        bool copied = again.Index >= 0 && await cpu.EntryRead(again, page) == entry;
        if (copied)
        {
            await Kernel.PteOps.PtepClearFlush(cpu, mm, again, page);
            await Kernel.PageFault.FolioAddNewAnonRmap(cpu, copy);
            bool mayWrite = await MaybeMkwrite(cpu, mm, page);
            await Kernel.PteOps.SetPteAtNotify(cpu, mm, again, page, Kernel.PteOps.PteMkdirty(Pte.Leaf(copy, mayWrite)));
            if (!Kernel.IsZeroFrame(entry.Frame))
            {
                await Kernel.Rmap.FolioRemoveRmapPte(cpu, entry.Frame);
            }
        }

        if (again.Index >= 0)
        {
            await Kernel.PageWalk.PteUnmapUnlock(cpu, again);
        }

        await MmuNotifierInvalidateRangeEnd(cpu, mm, page);
        if (Kernel.IsZeroFrame(entry.Frame) && copied)
        {
            // No entry refers to the zero page: only the reference that was taken above is given back.
            await cpu.PutFrames(original, "folio_put");
            return;
        }

        await cpu.PutFrames(copied ? original : FrameSet.Of(copy), "folio_put");
        await Kernel.LruLists.ReleasePages(cpu, original);
        await cpu.PutFrames(original, "folio_put");
    }

    /// <summary>The call of <c>mmu_notifier_invalidate_range_start</c> in <c>wp_page_copy</c>.</summary>
    [KernelName]
    protected virtual async Proc MmuNotifierInvalidateRangeStart(Cpu cpu, Mm mm, int page)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, page, 1);
        }
    }

    /// <summary>The call of <c>mmu_notifier_invalidate_range_end</c> in <c>wp_page_copy</c>.</summary>
    [KernelName]
    protected virtual async Proc MmuNotifierInvalidateRangeEnd(Cpu cpu, Mm mm, int page)
    {
        ArgumentNullException.ThrowIfNull(mm);
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, page, 1);
        }
    }
}
