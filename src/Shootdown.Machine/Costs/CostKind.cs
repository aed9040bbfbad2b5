namespace Shootdown.Machine;

/// <summary>What a run is charged for. Every kind is one counter.</summary>
public enum CostKind
{
    /// <summary>Flushes of everything that a CPU holds under its loaded ASID.</summary>
    FullFlushes,

    /// <summary>Flushes page by page: invalidations of single pages with nothing in between count as one.</summary>
    PartialFlushes,

    /// <summary>Single pages that were invalidated.</summary>
    Entries,

    /// <summary>Writes of CR3 that drop what the CPU holds under the new ASID.</summary>
    SwitchFlushes,

    /// <summary>Broadcast invalidations (TLBI, INVLPGB).</summary>
    Broadcasts,

    /// <summary>IPIs sent, one for each target.</summary>
    IpisSent,

    /// <summary>IPIs whose handler was entered.</summary>
    IpisReceived,

    /// <summary>Calls of <c>mmu_notifier_invalidate_range_start</c>, <c>_end</c> and their kin, with or without subscribers.</summary>
    NotifierCalls,

    /// <summary>
    /// Invalidations of the TLBs of secondary MMUs: commands to an IOMMU when they take effect, flushes in front of a table of its own.
    /// </summary>
    SecondaryFlushes,

    /// <summary>
    /// Flushes (full, partial, broadcast, of secondary MMUs) that dropped no translation which differs from the page tables, because
    /// none can have been cached.
    /// </summary>
    Redundant,

    /// <summary>
    /// Callbacks of notifiers for which a secondary MMU with a table of its own mapped nothing: the caller had it called, and it
    /// took its lock, for nothing.
    /// </summary>
    CallbacksInVain,

    /// <summary>Of <see cref="Redundant"/>, the flushes of secondary MMUs.</summary>
    SecondaryRedundant,
}

/// <summary>What one operation is charged for.</summary>
/// <param name="Kind">The counter; <see cref="CostKind.Entries"/> for the invalidation of a single page.</param>
/// <param name="Amount">How much is added; 0 for an operation that costs nothing.</param>
/// <param name="Useful">
/// False if it is a flush, and nothing that it drops can have differed from the page tables.
/// </param>
public readonly record struct CostEvent(CostKind Kind, int Amount, bool Useful = true)
{
    /// <summary>Nothing to charge.</summary>
    public static CostEvent None => default;
}
