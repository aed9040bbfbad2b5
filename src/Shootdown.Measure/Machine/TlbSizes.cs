namespace Shootdown.Measure;

/// <summary>Sizes of a CPU's TLBs: entries and ways of each level. Sets are a power of two.</summary>
public sealed record TlbSizes
{
    /// <summary>First level, 4 KiB pages.</summary>
    public int L1Entries { get; init; } = 64;

    /// <summary>Ways of the first level.</summary>
    public int L1Ways { get; init; } = 4;

    /// <summary>First level, 2 MiB pages.</summary>
    public int L1HugeEntries { get; init; } = 32;

    /// <summary>Ways of the first level for 2 MiB pages.</summary>
    public int L1HugeWays { get; init; } = 4;

    /// <summary>Second level, for both sizes.</summary>
    public int L2Entries { get; init; } = 1536;

    /// <summary>Ways of the second level.</summary>
    public int L2Ways { get; init; } = 12;

    /// <summary>Cached entries that point to leaf tables (paging-structure cache).</summary>
    public int WalkEntries { get; init; } = 32;
}
