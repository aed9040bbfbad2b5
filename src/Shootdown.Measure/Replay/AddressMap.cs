namespace Shootdown.Measure;

/// <summary>
/// Where the pages of a traced process are on the machine, whose page numbers have 31 bits: x86-64 has 36, or 45 with five levels. The first parts of 512 GiB (one
/// entry of the top-level table) that are used are there as a whole, in the order of their first use; of any further ones only the GiBs that are
/// used. Within 1 GiB all is where it is in the trace, so that tables and huge pages hold the same pages.
/// </summary>
internal sealed class AddressMap
{
    /// <summary>A part of the address space that no trace uses: the first stack of a program lies there.</summary>
    public const int ScratchPage = SpansMax << SpanShift;

    /// <summary>log2 of the pages of 1 GiB.</summary>
    public const int PartShift = 18;

    private const int SpanShift = 27;
    private const int SpansMax = 14;
    private const int WholeSpans = 10;
    private const int PartsMax = (SpansMax - WholeSpans) << (SpanShift - PartShift);

    /// <summary>Of 56 bits of user addresses, which processes have that ask for them where there are five levels.</summary>
    private const long LastSpan = (1 << 17) - 1;

    private readonly List<long> _spans = [];
    private readonly Dictionary<long, int> _parts = [];
    private readonly Stack<int> _freeParts = [];
    private int _partsUsed;

    /// <summary>The machine's number of a page of the trace; -1 for kernel addresses, and if there is no more room.</summary>
    public int PageOf(long page)
    {
        long span = page >> SpanShift;
        if (span is < 0 or > LastSpan)
        {
            return -1;
        }

        int at = _spans.IndexOf(span);
        if (at < 0 && _spans.Count < WholeSpans)
        {
            at = _spans.Count;
            _spans.Add(span);
        }

        return at >= 0 ? (at << SpanShift) | Within(page, SpanShift)
            : PartOf(page >> PartShift) is >= 0 and int part ? (WholeSpans << SpanShift) + (part << PartShift) + Within(page, PartShift)
            : -1;
    }

    /// <summary>The same for a range; -1 also if its pages are not one behind the other.</summary>
    public int RangeOf(long first, long end)
    {
        int place = end > first ? PageOf(first) : -1;
        bool isOne = first >> PartShift == (end - 1) >> PartShift
            || (first >> SpanShift == (end - 1) >> SpanShift && _spans.Contains(first >> SpanShift));
        for (long part = (first >> PartShift) + 1; place >= 0 && !isOne && part <= (end - 1) >> PartShift; part++)
        {
            long page = part << PartShift;
            place = PageOf(page) == place + (page - first) ? place : -1;
        }

        return place;
    }

    /// <summary>A range was unmapped: the place of a GiB in which no area is left may be used again.</summary>
    public void Release(long first, long end, AreaList areas)
    {
        if (_parts.Count == 0)
        {
            return;
        }

        foreach (long part in _parts.Keys.Where(part => part >= first >> PartShift && part <= (end - 1) >> PartShift).ToArray())
        {
            if (!areas.Intersects(part << PartShift, (part + 1) << PartShift) && _parts.Remove(part, out int place))
            {
                _freeParts.Push(place);
            }
        }
    }

    /// <summary>A copy, for fork.</summary>
    public AddressMap Copy()
    {
        var copy = new AddressMap { _partsUsed = _partsUsed };
        copy._spans.AddRange(_spans);
        foreach ((long part, int place) in _parts)
        {
            copy._parts.Add(part, place);
        }

        foreach (int place in _freeParts.Reverse())
        {
            copy._freeParts.Push(place);
        }

        return copy;
    }

    private int PartOf(long part)
    {
        if (_parts.TryGetValue(part, out int place))
        {
            return place;
        }

        // Behind the one before it, if that is the last: a range that crosses a border stays one.
        place = _parts.TryGetValue(part - 1, out int before) && before == _partsUsed - 1 && _partsUsed < PartsMax ? _partsUsed++
            : _freeParts.TryPop(out int free) ? free
            : _partsUsed < PartsMax ? _partsUsed++
            : -1;
        if (place >= 0)
        {
            _parts.Add(part, place);
        }

        return place;
    }

    private static int Within(long page, int shift) => (int)(page & ((1L << shift) - 1));
}
