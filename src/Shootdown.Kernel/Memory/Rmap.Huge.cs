using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <content>Walks to the entries of a huge folio of a file: one that maps all of it, or small ones that map its parts.</content>
public partial class Rmap
{
    /// <summary>
    /// mm/page_vma_mapped.c: <c>page_vma_mapped_walk</c> of a huge folio in one area, with PVMW_SYNC: also who finds the huge entry empty waits for
    /// whoever may have emptied it and has not counted down yet.
    /// </summary>
    protected virtual async Proc<ulong> FolioVmaMappedWalk(
        Cpu cpu, FileArea area, int folio, FolioMapping mapping, RmapWalker walker, ulong argument)
    {
        Mm mm = area.Mm;
        int first = Math.Max(area.First, area.PageOf(mapping.Index));
        int end = Math.Min(area.First + area.Count, area.PageOf(mapping.Index) + Machine.Paging.SpanOf(1));
        if (walker.SplitsHugePmd)
        {
            await Kernel.HugeMemory.SplitFileHugePmdIfAny(cpu, mm, first);
        }

        bool notifies = mm.HasNotifiers && walker.NotifiesSecondaries;
        if (notifies)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, first, end - first);
        }

        PageTable pmd = await Kernel.PageWalk.TableAt(cpu, mm, first, 1);
        Pte entry = pmd.Index < 0 ? Pte.None : await cpu.EntryRead(pmd, first, "pmdp_get");
        ulong result = pmd.Index >= 0 && (entry.Huge || !entry.Present)
            ? await WalkHugePmd(cpu, mm, pmd, first, folio, walker, argument) : 0;
        if (entry.Present && !entry.Huge)
        {
            result = await WalkSmallEntries(
                cpu, mm, PageRange.Of(first, end - first), folio + area.IndexOf(first) - mapping.Index, walker, argument);
        }

        if (notifies)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, first, end - first);
        }

        return result;
    }

    /// <summary>The huge entry, under its lock. If it is gone by now nothing is mapped: the caller keeps faults away by the folio lock.</summary>
    [KernelName("page_vma_mapped_walk")]
    private async Proc<ulong> WalkHugePmd(Cpu cpu, Mm mm, PageTable pmd, int page, int folio, RmapWalker walker, ulong argument)
    {
        await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
        Pte entry = await cpu.EntryRead(pmd, page, "pmdp_get");
        ulong result = entry.Huge && walker.Matches(entry, folio)
            ? await walker.RmapOnePmd(cpu, mm, pmd, page, entry, argument) : 0;
        await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        return result;
    }

    /// <summary>The small entries of one table; the frame is that of the first page.</summary>
    [KernelName("page_vma_mapped_walk")]
    private async Proc<ulong> WalkSmallEntries(Cpu cpu, Mm mm, PageRange pages, int frame, RmapWalker walker, ulong argument)
    {
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, pages.Start);
        if (table.Index < 0)
        {
            return 0;
        }

        ulong result = 0;
        for (int page = pages.Start; page < pages.End; page++)
        {
            Pte entry = await cpu.EntryRead(table, page);
            if (walker.Matches(entry, frame + page - pages.Start))
            {
                result |= await walker.RmapOne(cpu, mm, table, page, entry, argument);
            }
        }

        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        return result;
    }
}
