namespace Shootdown.Kernel;

/// <summary>A range of virtual pages [start, end), or all pages (<c>TLB_FLUSH_ALL</c>), in one word.</summary>
/// <param name="Bits">Start in bits 0 to 31, end in bits 32 to 63.</param>
public readonly record struct PageRange(ulong Bits)
{
    /// <summary>The whole address space.</summary>
    public static PageRange All => Of(0, int.MaxValue);

    /// <summary>No page.</summary>
    public static PageRange Empty => default;

    /// <summary>First page.</summary>
    public int Start => (int)(uint)Bits;

    /// <summary>The page behind the last one.</summary>
    public int End => (int)(Bits >> 32);

    /// <summary>True for the whole address space.</summary>
    public bool IsAll => Bits == All.Bits;

    /// <summary>Number of pages.</summary>
    public int Count => End - Start;

    /// <summary>A range of pages.</summary>
    public static PageRange Of(int first, int count) => new((uint)first | ((ulong)(uint)(first + count) << 32));

    /// <summary>The smallest range that holds this one and another (<c>__tlb_adjust_range</c>).</summary>
    public PageRange With(PageRange other) => Count == 0 ? other : Of(
        Math.Min(Start, other.Start), Math.Max(End, other.End) - Math.Min(Start, other.Start));
}
