using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Huge folios of the page cache (include/linux/page-flags.h, mm/huge_memory.c, mm/filemap.c): the small frames of a huge page that are cached
/// as one. Needs <see cref="KernelOptions.HugeFiles"/>.
/// </summary>
/// <remarks>
/// The first frame stands for the folio: its lock, dirty flag, writeback flag and map count are the folio's. References are counted by small frame, so
/// that whoever looked a part up holds that part; whoever looks the folio up in the page cache takes one of the first frame. The page cache
/// has one of each, an entry that maps the folio too. A frame keeps its mark when it is freed, and loses it when it is used again.
/// </remarks>
public class CompoundFolios(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>Small pages of a huge one.</summary>
    protected int Span => Machine.Paging.SpanOf(1);

    /// <summary>include/linux/page-flags.h: <c>compound_head</c>: the first frame of the huge folio, or the frame itself.</summary>
    public virtual async Proc<int> CompoundHead(Cpu cpu, int frame)
    {
        ulong head = await cpu.Load(Kernel.Folios[frame].CompoundHead);
        return head == 0 ? frame : (int)head - 1;
    }

    /// <summary>include/linux/page-flags.h: <c>folio_test_large</c>, for any frame of it.</summary>
    public virtual async Proc<bool> FolioTestLarge(Cpu cpu, int frame) => await cpu.Load(Kernel.Folios[frame].CompoundHead) != 0;

    /// <summary>mm/page_alloc.c: <c>prep_new_page</c>: a frame that was part of a huge folio is a small one.</summary>
    public virtual async Proc PrepNewPage(Cpu cpu, int frame) => await cpu.Store(Kernel.Folios[frame].CompoundHead, 0);

    /// <summary>mm/page_alloc.c: <c>prep_compound_page</c>: the frames become one folio; nobody else knows them yet.</summary>
    public virtual async Proc PrepCompoundPage(Cpu cpu, int folio)
    {
        for (int i = 0; i < Span; i++)
        {
            await cpu.Store(Kernel.Folios[folio + i].CompoundHead, (ulong)folio + 1);
        }
    }

    /// <summary>The small frames of the folio that a frame is part of, which the caller has locked or frozen.</summary>
    [KernelName]
    public virtual async Proc<FrameSet> FramesOf(Cpu cpu, int frame)
    {
        ulong head = await cpu.Load(Kernel.Folios[frame].CompoundHead);
        return head == 0 ? FrameSet.Of(frame) : AllFrames((int)head - 1);
    }

    /// <summary>All frames of a huge folio.</summary>
    public FrameSet AllFrames(int folio) => new(((1UL << Span) - 1) << folio);

    /// <summary>
    /// mm/filemap.c: <c>filemap_get_entry</c>: a reference of the folio that is cached there; -1 if somebody has frozen it, or it is another one
    /// by now: to be looked up again.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="slot">The word of the page cache.</param>
    /// <param name="frame">The frame that was read from there.</param>
    public virtual async Proc<int> FilemapGetEntry(Cpu cpu, Word slot, int frame)
    {
        int folio = await CompoundHead(cpu, frame);
        if (await cpu.FrameTryGet(folio) == 0)
        {
            // The kernel looks again and again (xas_retry); whoever has frozen the folio has locked it.
            await cpu.WaitEvent(Kernel.Folios[folio].Lock.Word, Condition.Equal, 0);
            return -1;
        }

        // The reference comes before the second look (FrameTryGet is fully ordered): who takes the folio apart later finds it.
        if (await cpu.Load(slot) == (ulong)frame + 1 && await CompoundHead(cpu, frame) == folio)
        {
            return folio;
        }

        await Kernel.Filemap.FolioPut(cpu, folio);
        return -1;
    }

    /// <summary>
    /// include/linux/page_ref.h: <c>folio_ref_freeze</c>: false if somebody refers to the folio besides the page cache and the caller. The kernel
    /// does it with one count.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="folio">First frame of a huge folio.</param>
    public virtual async Proc<bool> FolioRefFreeze(Cpu cpu, int folio)
    {
        for (int i = 0; i < Span; i++)
        {
            ulong expected = Expected(i);
            if (await cpu.CompareExchange(Kernel.Folios[folio + i].Frame.RefCount, expected, 0) != expected)
            {
                await FolioRefUnfreeze(cpu, folio, i);
                return false;
            }
        }

        return true;
    }

    /// <summary>include/linux/page_ref.h: <c>folio_ref_unfreeze</c>.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="folio">First frame of a huge folio.</param>
    /// <param name="count">How many of its frames are frozen.</param>
    public virtual async Proc FolioRefUnfreeze(Cpu cpu, int folio, int count)
    {
        for (int i = count - 1; i >= 0; i--)
        {
            await cpu.Exchange(Kernel.Folios[folio + i].Frame.RefCount, Expected(i));
        }
    }

    /// <summary>mm/filemap.c: <c>__filemap_remove_folio</c> of a huge folio, which is locked. The references are left to the caller.</summary>
    public virtual async Proc FilemapRemoveFolio(Cpu cpu, int folio, FolioMapping mapping)
    {
        for (int i = 0; i < Span; i++)
        {
            await Kernel.Filemap.FilemapRemoveFolio(cpu, folio + i, new FolioMapping(mapping.Bits + (ulong)i));
        }
    }

    /// <summary>
    /// mm/huge_memory.c: <c>split_folio</c>: makes small folios of a huge one that the caller has locked and refers to; it keeps the lock of the
    /// first. False if somebody else has a reference, who may have found a part of it by its entry and takes it for a part.
    /// </summary>
    public virtual async Proc<bool> SplitFolio(Cpu cpu, int folio)
    {
        if (await Kernel.Rmap.FolioMapped(cpu, folio))
        {
            await UnmapFolio(cpu, folio);
        }

        if (!await FolioRefFreeze(cpu, folio))
        {
            return false;
        }

        ulong dirty = await cpu.Load(Kernel.Folios[folio].Frame.Dirty);
        for (int i = Span - 1; i >= 0; i--)
        {
            await cpu.Store(Kernel.Folios[folio + i].Frame.Dirty, dirty);
            await cpu.Store(Kernel.Folios[folio + i].CompoundHead, 0);
        }

        await FolioRefUnfreeze(cpu, folio, Span);
        return true;
    }

    /// <summary>mm/huge_memory.c: <c>unmap_folio</c> for a file: entries go, faults bring them back.</summary>
    protected virtual async Proc UnmapFolio(Cpu cpu, int folio) => await Kernel.Reclaim.TryToUnmap(cpu, folio, false);

    /// <summary>References of a small frame while nobody but the page cache and the caller, by the first, has any.</summary>
    private static ulong Expected(int part) => part == 0 ? 2UL : 1;
}
