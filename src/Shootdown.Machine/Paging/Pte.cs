namespace Shootdown.Machine;

/// <summary>A page-table entry of any level. Layout: flags in bits 0 to 15, frame or table number from bit 16.</summary>
/// <param name="Bits">The 64-bit entry.</param>
public readonly record struct Pte(ulong Bits)
{
    /// <summary>Present: hardware may use and cache it.</summary>
    public const ulong PresentBit = 1 << 0;

    /// <summary>Writable.</summary>
    public const ulong WriteBit = 1 << 1;

    /// <summary>Accessed, set by walks.</summary>
    public const ulong AccessedBit = 1 << 2;

    /// <summary>Dirty, set by the first store through the entry.</summary>
    public const ulong DirtyBit = 1 << 3;

    /// <summary>A leaf above the lowest level.</summary>
    public const ulong HugeBit = 1 << 4;

    /// <summary>No execute.</summary>
    public const ulong NoExecuteBit = 1 << 5;

    /// <summary>Not present for hardware, but the page is there (PROT_NONE, NUMA hinting).</summary>
    public const ulong ProtNoneBit = 1 << 6;

    /// <summary>A swap entry; software only.</summary>
    public const ulong SwapBit = 1 << 7;

    private const int FrameShift = 16;

    /// <summary>The empty entry (<c>pte_none</c>).</summary>
    public static Pte None => default;

    /// <summary>Hardware present.</summary>
    public bool Present => (Bits & PresentBit) != 0;

    /// <summary>The kernel's <c>pte_present</c>: hardware present or PROT_NONE; there is a frame.</summary>
    public bool MapsFrame => (Bits & (PresentBit | ProtNoneBit)) != 0;

    /// <summary>Writable.</summary>
    public bool Write => (Bits & WriteBit) != 0;

    /// <summary>Dirty.</summary>
    public bool Dirty => (Bits & DirtyBit) != 0;

    /// <summary>A leaf above the lowest level.</summary>
    public bool Huge => (Bits & HugeBit) != 0;

    /// <summary>Nothing there at all.</summary>
    public bool IsNone => Bits == 0;

    /// <summary>Frame number of a leaf, table number of an upper entry.</summary>
    public int Frame => (int)(Bits >> FrameShift);

    /// <summary>A present leaf.</summary>
    public static Pte Leaf(int frame, bool write, bool dirty = false)
        => new(((ulong)frame << FrameShift) | PresentBit | (write ? WriteBit : 0) | (dirty ? DirtyBit : 0));

    /// <summary>An upper-level entry that points to a table.</summary>
    public static Pte Table(int table) => new(((ulong)table << FrameShift) | PresentBit | WriteBit);

    /// <summary>A swap entry.</summary>
    public static Pte Swap(int slot) => new(((ulong)slot << FrameShift) | SwapBit);

    /// <summary>The entry with some bits set.</summary>
    public Pte With(ulong bits) => new(Bits | bits);

    /// <summary>The entry with some bits cleared.</summary>
    public Pte Without(ulong bits) => new(Bits & ~bits);

    /// <inheritdoc/>
    public override string ToString() => IsNone ? "none"
        : Present ? $"frame {Frame}{(Write ? ", writable" : ", read-only")}{(Dirty ? ", dirty" : string.Empty)}"
        : (Bits & SwapBit) != 0 ? $"swap {Frame}" : "not present";
}
