namespace Shootdown.Measure;

/// <summary>
/// The pages that a thread faulted in last, the latest first: what it is taken to use again after its TLB was flushed, for a trace does
/// not show accesses that do not fault.
/// </summary>
internal sealed class RecentPages
{
    private int[] _pages = [];
    private int _next;

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>A page, as the machine numbers it.</summary>
    public int this[int index] => _pages[index];

    /// <summary>Notes a page; with <paramref name="capacity"/> pages known, the oldest is forgotten.</summary>
    public void Add(int page, int capacity)
    {
        if (_pages.Length != capacity)
        {
            _pages = new int[capacity];
            (_next, Count) = (0, 0);
        }

        if (Array.IndexOf(_pages, page, 0, Count) >= 0)
        {
            return;
        }

        _pages[_next] = page;
        _next = (_next + 1) % capacity;
        Count = Math.Max(Count, _next == 0 ? capacity : _next);
    }

    /// <summary>Forgets all: another program runs.</summary>
    public void Clear() => (_next, Count) = (0, 0);
}
