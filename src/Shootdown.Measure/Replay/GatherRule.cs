namespace Shootdown.Measure;

/// <summary>A flush that code asks for, before it is known which CPUs take part (<c>flush_tlb_mm_range</c>'s arguments).</summary>
/// <param name="Pages">Pages of 4 KiB; -1 for all.</param>
/// <param name="StrideShift">log2 of the 4 KiB pages of one step.</param>
/// <param name="FreedTables">True if lazy CPUs must be interrupted too.</param>
internal readonly record struct FlushRequest(long Pages, int StrideShift, bool FreedTables)
{
    /// <summary><c>flush_tlb_mm</c>: everything, as if tables were freed.</summary>
    public static FlushRequest All { get; } = new(-1, 0, true);

    /// <summary><c>flush_tlb_page</c>: one page whose table stays.</summary>
    public static FlushRequest OnePage { get; } = new(1, 0, false);

    /// <summary>arch/x86/mm/tlb.c, <c>get_flush_tlb_info</c>: what is more than the ceiling is a full flush.</summary>
    public long ReportedPages => Pages < 0 || Pages >> StrideShift > KernelProfile.FlushCeiling ? -1 : Pages >> StrideShift;
}

/// <summary>
/// mm/mmu_gather.c and include/asm-generic/tlb.h: the range from the first to the last entry that was cleared, the lowest
/// level that was cleared, whether tables were freed.
/// </summary>
internal sealed class GatherRule(List<FlushRequest> requests)
{
    private const int TableShift = 9;
    private long _first = long.MaxValue;
    private long _end;
    private bool _clearedPtes;
    private bool _freedTables;
    private int _pages;

    /// <summary><c>tlb_remove_tlb_entry</c> and <c>__tlb_remove_page</c>: true if the gather is full now.</summary>
    public bool RemovePage(long page, bool queuesPage)
    {
        Extend(page, page + 1);
        _clearedPtes = true;
        _pages += queuesPage ? 1 : 0;
        if (_pages < KernelProfile.GatherPagesMax)
        {
            return false;
        }

        Flush();
        return true;
    }

    /// <summary><c>pte_free_tlb</c>, <c>pmd_free_tlb</c>: one page of range at the table's beginning.</summary>
    public void FreeTable(long firstPage)
    {
        Extend(firstPage, firstPage + 1);
        _freedTables = true;
    }

    /// <summary><c>tlb_flush_mmu</c>: nothing recorded, nothing flushed.</summary>
    public void Flush()
    {
        if (_end > 0)
        {
            requests.Add(new FlushRequest(_end - _first, _clearedPtes ? 0 : TableShift, _freedTables));
        }

        (_first, _end, _clearedPtes, _freedTables, _pages) = (long.MaxValue, 0, false, false, 0);
    }

    private void Extend(long first, long end)
    {
        _first = Math.Min(_first, first);
        _end = Math.Max(_end, end);
    }
}
