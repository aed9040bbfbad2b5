namespace Shootdown.Machine;

/// <summary>How a TLB's nondeterministic contents are represented.</summary>
public enum TlbKind
{
    /// <summary>
    /// A TLB may hold any translation that the entry had since the last invalidation that covered it: the set of
    /// not-yet-invalidated old values is kept, and an access chooses. No fill or evict steps.
    /// </summary>
    Lagging,

    /// <summary>One cached value an entry, filled and evicted by steps of a hardware agent. Slow; for comparison.</summary>
    Explicit,
}

/// <summary>Sizes and features of a machine. Every one is a bound of the check and is printed with its verdict.</summary>
public sealed record MachineOptions
{
    /// <summary>Number of CPUs, 1 to 16.</summary>
    public int Cpus { get; init; } = 2;

    /// <summary>Levels of the page tables, 1 to 4.</summary>
    public int Levels { get; init; } = 1;

    /// <summary>Entries of a table, 1 to 512.</summary>
    public int EntriesPerTable { get; init; } = 2;

    /// <summary>Number of page-table pages, roots included.</summary>
    public int Tables { get; init; } = 1;

    /// <summary>Number of physical frames, 0 to 1023.</summary>
    public int Frames { get; init; } = 4;

    /// <summary>
    /// If set, frame f may back only pages p with p % FrameColours == f % FrameColours, as in a page-colouring
    /// allocator: pages then never exchange frames, which keeps permutations of equal frames out of the state space.
    /// </summary>
    public int FrameColours { get; init; } = 1;

    /// <summary>ASIDs (PCIDs) that a CPU's TLB tells apart.</summary>
    public int Asids { get; init; } = 1;

    /// <summary>Representation of TLBs and walk caches.</summary>
    public TlbKind Tlb { get; init; } = TlbKind.Lagging;

    /// <summary>True if upper levels are cached (paging-structure caches).</summary>
    public bool WalkCaches { get; init; } = true;

    /// <summary>
    /// True if INVLPG keeps cached entries of the top level, as on x86-32 with PAE, where the CPU holds all four of them
    /// from one write of CR3 to the next.
    /// </summary>
    public bool StickyTopLevel { get; init; }

    /// <summary>True if one table may be hooked into several address spaces, at the same pages (hugetlbfs).</summary>
    public bool SharedTables { get; init; }

    /// <summary>
    /// True if a table may be hooked in at another place than the one that it was made for (mremap of whole tables): its place is that of the
    /// entry that points to it. Not with <see cref="SharedTables"/>.
    /// </summary>
    public bool MovableTables { get; init; }

    /// <summary>True if walks set the accessed bit.</summary>
    public bool AccessedBit { get; init; }

    /// <summary>True if programs may wait for RCU grace periods.</summary>
    public bool GracePeriods { get; init; }

    /// <summary>
    /// True if sleeping in atomic context is let through, as by a kernel that warns at most: for following what comes of it.
    /// Otherwise it is a violation of P-atomic in every check.
    /// </summary>
    public bool SleepsInAtomic { get; init; }

    /// <summary>Devices that translate through the CPUs' page tables (an IOMMU with PASIDs), 0 to 4.</summary>
    public int Devices { get; init; }

    /// <summary>Memory model.</summary>
    public MemoryModelKind Model { get; init; } = MemoryModelKind.Sc;

    /// <summary>Entries of a CPU's store buffer under x86-tso: a store waits while it is full.</summary>
    public int StoreBufferDepth { get; init; } = 4;
}
