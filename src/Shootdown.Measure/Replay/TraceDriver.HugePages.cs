namespace Shootdown.Measure;

/// <content>
/// Transparent huge pages. A trace does not say that a fault mapped one: it is taken to, where the kernel would try (mm/huge_memory.c,
/// <c>do_huge_pmd_anonymous_page</c>). If no huge page was free it did not, and the thread's next fault in the range tells.
/// </content>
internal sealed partial class TraceDriver
{
    private const int HugeShift = 9;

    /// <summary>Two threads may fault on the range at once; behind that time a fault in it shows that there is no huge page.</summary>
    private const long RaceNs = 100_000_000;

    /// <summary>Of so many huge pages most must have been there, or faults of this trace map none.</summary>
    private const int GuessesMin = 16;

    private long _hugeGuesses;
    private long _hugeErrors;

    /// <summary>A fault on a page that is not mapped, in a range that is taken for a huge page: there was none.</summary>
    private void DoubtHugePage(in ReplayPoint at, TracedProcess process, long page)
    {
        long huge = page >> HugeShift;
        if (process.HugePages.TryGetValue(huge, out (int Tid, long TimeNs) mapped) && _kernels[0].IsHuge(process.Id, process.Places.PageOf(page))
            && (mapped.Tid == at.Tid || at.TimeNs - mapped.TimeNs > RaceNs))
        {
            _hugeErrors++;
            TakeBack(at, process, huge);
        }
    }

    /// <summary>
    /// mm/huge_memory.c, <c>__thp_vma_allowable_orders</c>: true if a write fault tries to map a huge page where nothing is mapped. A read maps the
    /// huge zero page, which takes no memory; small pages stand for it.
    /// </summary>
    private bool MapsHugePage(TracedProcess process, long page)
        => (_hugeGuesses < GuessesMin || _hugeErrors * 2 < _hugeGuesses) && MayBeHuge(process, page >> HugeShift)
            && !_kernels[0].IsHuge(process.Id, process.Places.PageOf(page));

    private bool MayBeHuge(TracedProcess process, long huge)
        => HugePages != HugePageMode.Never && !process.SmallPages.Contains(huge)
            && process.Areas.Find(huge << HugeShift) is { Kind: AreaKind.Anonymous } area && area.End >= (huge + 1) << HugeShift
            && (area.HugePages == HugePageAdvice.Wanted || (HugePages == HugePageMode.Always && area.HugePages == HugePageAdvice.None));

    private void NoteHugePage(in ReplayPoint at, TracedProcess process, long page)
    {
        _hugeGuesses++;
        process.HugePages[page >> HugeShift] = (at.Tid, at.TimeNs);
    }

    /// <summary>There was no huge page: what is mapped small is not known but for the pages that fault from here on.</summary>
    private void TakeBack(in ReplayPoint at, TracedProcess process, long huge)
    {
        process.HugePages.Remove(huge);
        process.SmallPages.Add(huge);
        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.Advise(at with { IsSelected = false }, process.Id, process.Places.PageOf(huge << HugeShift), 1 << HugeShift, Advice.DontNeed);
        }
    }
}
