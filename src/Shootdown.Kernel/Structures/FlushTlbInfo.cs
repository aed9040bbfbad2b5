namespace Shootdown.Kernel;

/// <summary>
/// A flush request (<c>struct flush_tlb_info</c>). One word is enough for small machines: start and end of the range in
/// bits 0 to 11 and 12 to 23, stride level in 24 and 25, freed tables in 26, address space in 27 to 31 (0: none),
/// generation in 32 to 63. What does not fit is in the second word, with the address space in bits 0 to 23 of the first. The
/// initiating CPU is the sender of the IPI.
/// </summary>
/// <param name="Bits">The packed value.</param>
/// <param name="Wide">The range, if it or the address space does not fit into the first word; else 0.</param>
public readonly record struct FlushTlbInfo(ulong Bits, ulong Wide = 0)
{
    private const ulong Twelve = 0xfff;
    private const ulong IsWide = 31;

    /// <summary><c>TLB_GENERATION_INVALID</c>: the request names no generation.</summary>
    public const ulong TlbGenerationInvalid = 0;

    /// <summary>What to flush.</summary>
    public PageRange Range => Wide != 0 ? new(Wide)
        : (Bits & 0xff_ffff) == Twelve << 12 ? PageRange.All
        : PageRange.Of((int)(Bits & Twelve), (int)((Bits >> 12) & Twelve) - (int)(Bits & Twelve));

    /// <summary>Level whose entries were changed: one step of a partial flush covers one of them.</summary>
    public int StrideLevel => (int)(Bits >> 24) & 3;

    /// <summary>True if page tables of the range are about to be freed.</summary>
    public bool FreedTables => (Bits >> 26 & 1) != 0;

    /// <summary>The address space; null if the request is for whatever a CPU runs.</summary>
    public int? MmIndex => (Bits >> 27 & 31) switch
    {
        0 => null,
        IsWide => (int)(Bits & 0xff_ffff) == 0 ? null : (int)(Bits & 0xff_ffff) - 1,
        ulong narrow => (int)narrow - 1,
    };

    /// <summary>The generation that a CPU has reached once it did this flush.</summary>
    public ulong NewTlbGen => Bits >> 32;

    /// <summary><c>get_flush_tlb_info</c>.</summary>
    public static FlushTlbInfo Of(Mm? mm, PageRange range, int strideLevel, bool freedTables, ulong newTlbGen)
    {
        ulong space = mm is null ? 0 : (ulong)(mm.Index + 1);
        ulong rest = ((ulong)strideLevel << 24) | (freedTables ? 1UL << 26 : 0) | (newTlbGen << 32);
        if (space >= IsWide || (!range.IsAll && (ulong)range.End >= Twelve))
        {
            return new(rest | space | (IsWide << 27), range.Bits);
        }

        ulong narrow = range.IsAll ? Twelve << 12 : (uint)range.Start | ((ulong)(uint)range.End << 12);
        return new(rest | narrow | (space << 27));
    }

    /// <summary>The request with the mark for freed tables taken away.</summary>
    public FlushTlbInfo WithoutFreedTables() => this with { Bits = Bits & ~(1UL << 26) };
}
