namespace Shootdown.Measure;

/// <summary>
/// Memory that nothing maps any more and that is kept from the allocator until TLBs have been flushed: by gathers, unmap batches and
/// whatever a flush design defers.
/// </summary>
public sealed class HeldMemory
{
    private const int PageBytes = 4096;
    private double _pageNs;
    private long _pages;
    private long _pagesMax;

    /// <summary>Bytes held back now.</summary>
    public long Bytes => _pages * PageBytes;

    /// <summary>The most bytes held back at a time, as the machine came by; CPUs' times differ by a call, so a little less than it may be.</summary>
    public long BytesMax => _pagesMax * PageBytes;

    /// <summary>Bytes held back on average between two times; before the first one nothing was.</summary>
    public long AverageBytes(long fromNs, long untilNs)
        => untilNs <= fromNs ? 0 : (long)((_pageNs + ((double)_pages * untilNs)) * PageBytes / (untilNs - fromNs));

    /// <summary>Bytes held back, times seconds, up to a time.</summary>
    public double ByteSeconds(long untilNs) => (_pageNs + ((double)_pages * untilNs)) * PageBytes / 1e9;

    /// <summary>Pages are held back from a time on, or no longer if the number is negative.</summary>
    internal void Add(int pages, long timeNs)
    {
        _pages += pages;
        _pagesMax = Math.Max(_pagesMax, _pages);
        _pageNs -= (double)pages * timeNs;
    }
}
