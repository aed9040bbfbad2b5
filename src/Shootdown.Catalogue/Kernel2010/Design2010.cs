namespace Shootdown.Catalogue;

/// <summary>What the sleeping-notifier patches of 2010 argue about, one choice each. The defaults are Linux 2.6.33.</summary>
public sealed record Design2010
{
    /// <summary>True if a notifier's callbacks sleep (XPMEM, GRU over a network); then the list must be under SRCU.</summary>
    public bool CallbacksSleep { get; init; } = true;

    /// <summary>
    /// True if the list of notifiers is walked under SRCU; false for plain RCU, in whose read sections nothing may sleep.
    /// </summary>
    public bool Srcu { get; init; } = true;

    /// <summary>True if invalidate_range_start is called before tlb_gather_mmu; 2.6.33 calls it after, inside unmap_vmas.</summary>
    public bool NotifierFirst { get; init; }

    /// <summary>True if the gather is on the stack (2.6.40); false if it is the CPU's, with preemption off.</summary>
    public bool GatherOnStack { get; init; }

    /// <summary>True if i_mmap_lock sleeps (mutex since 2.6.40, rw-semaphore since 3.19); false for the spinlock.</summary>
    public bool IMmapSleeps { get; init; }

    /// <summary>True if the anon_vma lock sleeps (mutex since 2.6.40); false for the spinlock.</summary>
    public bool AnonVmaSleeps { get; init; }

    /// <summary>True if walks from a page to its entries call start and end around each; 2.6.33 calls invalidate_page, which never sleeps.</summary>
    public bool RmapUsesRange { get; init; }

    /// <summary>Pages after which unmap_vmas may reschedule (ZAP_BLOCK_SIZE); 0 for never.</summary>
    public int BlockPages { get; init; }

    /// <summary>True if the gather is finished before the lock break, as 2.6.33 does; false if it stays open across it.</summary>
    public bool FinishesBeforeBreak { get; init; } = true;

    /// <summary>The kernel in a few words: what is not as in 2.6.33 with SRCU and callbacks that sleep.</summary>
    public override string ToString()
    {
        string[] changes =
        [
            .. Said(!CallbacksSleep, "callbacks do not sleep"),
            .. Said(!Srcu, "RCU"),
            .. Said(NotifierFirst, "start before gather"),
            .. Said(GatherOnStack, "gather on stack"),
            .. Said(IMmapSleeps, "i_mmap sleeps"),
            .. Said(AnonVmaSleeps, "anon_vma sleeps"),
            .. Said(RmapUsesRange, "rmap calls start and end"),
            .. Said(BlockPages > 0, $"lock break after {BlockPages}"),
            .. Said(!FinishesBeforeBreak, "gather open across it"),
        ];
        return changes.Length == 0 ? "2.6.33" : $"2.6.33 with {string.Join(", ", changes)}";
    }

    private static string[] Said(bool isSo, string text) => isSo ? [text] : [];
}
