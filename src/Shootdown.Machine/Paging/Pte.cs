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

    /// <summary>
    /// A migration entry; software only. Its frame is the page that moves, its other bits are those that the page was
    /// mapped with.
    /// </summary>
    public const ulong MigrationBit = 1 << 8;

    /// <summary>Written since soft-dirty bits were cleared last; software only.</summary>
    public const ulong SoftDirtyBit = 1 << 9;

    /// <summary>Write-protected by userfaultfd; software only.</summary>
    public const ulong UserfaultWpBit = 1 << 10;

    /// <summary>In an entry that is not present: the page belongs to this process alone; software only.</summary>
    public const ulong ExclusiveBit = 1 << 11;

    private const int FrameShift = 16;

    /// <summary>The empty entry (<c>pte_none</c>).</summary>
    public static Pte None => default;

    /// <summary>Hardware present.</summary>
    public bool Present => (Bits & PresentBit) != 0;

    /// <summary>The kernel's <c>pte_present</c>: hardware present or PROT_NONE; there is a frame.</summary>
    public bool MapsFrame => (Bits & (PresentBit | ProtNoneBit)) != 0;

    /// <summary>A NUMA hint (<c>pte_protnone</c>): mapped, but not for hardware.</summary>
    public bool ProtNone => (Bits & (PresentBit | ProtNoneBit)) == ProtNoneBit;

    /// <summary>A swap entry.</summary>
    public bool IsSwap => (Bits & SwapBit) != 0;

    /// <summary>A migration entry (<c>is_migration_entry</c>).</summary>
    public bool IsMigration => (Bits & MigrationBit) != 0;

    /// <summary>Write-protected by userfaultfd (<c>pte_uffd_wp</c>).</summary>
    public bool UserfaultWp => (Bits & UserfaultWpBit) != 0;

    /// <summary>Written since soft-dirty bits were cleared last (<c>pte_soft_dirty</c>).</summary>
    public bool SoftDirty => (Bits & SoftDirtyBit) != 0;

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

    /// <summary>
    /// The migration entry that stands for an entry (<c>make_writable_migration_entry</c>,
    /// <c>make_readable_migration_entry</c>): it remembers rights and software bits.
    /// </summary>
    public static Pte Migration(Pte of) => of.Without(PresentBit | ProtNoneBit | HugeBit).With(MigrationBit);

    /// <summary>What a huge entry gives one of the small pages in it.</summary>
    internal Pte PartOfHuge(int part) => new(Bits + ((ulong)part << FrameShift));

    /// <summary>The entry with some bits set.</summary>
    public Pte With(ulong bits) => new(Bits | bits);

    /// <summary>The entry with some bits cleared.</summary>
    public Pte Without(ulong bits) => new(Bits & ~bits);

    /// <inheritdoc/>
    public override string ToString() => IsNone ? "none"
        : Present ? $"frame {Frame}{(Write ? ", writable" : ", read-only")}{(Dirty ? ", dirty" : string.Empty)}{SoftText}"
        : ProtNone ? $"protnone, frame {Frame}"
        : IsMigration ? $"migration entry, frame {Frame}"
        : IsSwap ? $"swap {Frame}" : "not present";

    private string SoftText => (SoftDirty ? ", soft-dirty" : string.Empty) + (UserfaultWp ? ", uffd-wp" : string.Empty);
}
