namespace Shootdown.Kernel;

/// <summary>
/// A flush request (<c>struct flush_tlb_info</c>) in one word: range in bits 0 to 23, stride level in 24 and 25,
/// freed tables in 26, address space in 27 to 31 (0: none), generation in 32 to 63. The initiating CPU is the sender
/// of the IPI.
/// </summary>
/// <param name="Bits">The packed value.</param>
public readonly record struct FlushTlbInfo(ulong Bits)
{
    /// <summary><c>TLB_GENERATION_INVALID</c>: the request names no generation.</summary>
    public const ulong TlbGenerationInvalid = 0;

    /// <summary>What to flush.</summary>
    public PageRange Range => new(Bits & 0xff_ffff);

    /// <summary>Level whose entries were changed: one step of a partial flush covers one of them.</summary>
    public int StrideLevel => (int)(Bits >> 24) & 3;

    /// <summary>True if page tables of the range are about to be freed.</summary>
    public bool FreedTables => (Bits >> 26 & 1) != 0;

    /// <summary>The address space; null if the request is for whatever a CPU runs.</summary>
    public int? MmIndex => (Bits >> 27 & 31) == 0 ? null : (int)(Bits >> 27 & 31) - 1;

    /// <summary>The generation that a CPU has reached once it did this flush.</summary>
    public ulong NewTlbGen => Bits >> 32;

    /// <summary><c>get_flush_tlb_info</c>.</summary>
    public static FlushTlbInfo Of(Mm? mm, PageRange range, int strideLevel, bool freedTables, ulong newTlbGen) => new(
        range.Bits | ((ulong)strideLevel << 24) | (freedTables ? 1UL << 26 : 0)
        | (mm is null ? 0 : (ulong)(mm.Index + 1) << 27) | (newTlbGen << 32));

    /// <summary>The request with the mark for freed tables taken away.</summary>
    public FlushTlbInfo WithoutFreedTables() => new(Bits & ~(1UL << 26));
}
