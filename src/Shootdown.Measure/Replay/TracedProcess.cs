namespace Shootdown.Measure;

/// <summary>An address space as far as a trace shows it: what calls have mapped, and where that lies on the machine.</summary>
/// <param name="id">Its number; that of one that has ended is used again.</param>
internal sealed class TracedProcess(int id)
{
    /// <summary>log2 of the pages of one entry of the top-level table: 512 GiB.</summary>
    public const int SpanShift = 27;

    /// <summary>Entries of the top-level table that a process may use; page numbers of the machine have 31 bits.</summary>
    private const int SpansMax = 14;

    private readonly List<long> _spans = [];

    /// <summary>A part of the address space that no trace uses: the first stack of a program lies there.</summary>
    public const int ScratchPage = SpansMax << SpanShift;

    /// <summary>Its number.</summary>
    public int Id => id;

    /// <summary>What it maps, in pages of the trace.</summary>
    public AreaList Areas { get; private init; } = new();

    /// <summary>End of the heap in bytes; 0 if not known yet.</summary>
    public long Break { get; set; }

    /// <summary>Tasks that live in it, as far as they were seen.</summary>
    public int Tasks { get; set; }

    /// <summary>True until something is known of it but its one task.</summary>
    public bool IsUnknown { get; set; } = true;

    /// <summary>
    /// The machine's number of a page of the trace: the same within its 512 GiB, and these in the order of their first use. -1 for
    /// kernel addresses and for more than 14 of them.
    /// </summary>
    public int PageOf(long page)
    {
        long span = page >> SpanShift;
        if (span is < 0 or > 255)
        {
            return -1;
        }

        int at = _spans.IndexOf(span);
        if (at < 0 && _spans.Count < SpansMax)
        {
            at = _spans.Count;
            _spans.Add(span);
        }

        return at < 0 ? -1 : (at << SpanShift) | (int)(page & ((1 << SpanShift) - 1));
    }

    /// <summary>The same for a range; -1 also if it crosses a border of 512 GiB.</summary>
    public int RangeOf(long first, long end) => end > first && first >> SpanShift == (end - 1) >> SpanShift ? PageOf(first) : -1;

    /// <summary>A copy, for fork.</summary>
    public TracedProcess Fork(int child)
    {
        var copy = new TracedProcess(child) { Areas = Areas.Copy(), Break = Break, Tasks = 1, IsUnknown = false };
        copy._spans.AddRange(_spans);
        return copy;
    }
}
