namespace Shootdown.Kernel;

/// <summary>Linux 6.12: mmu_gather, and batched unmapping by reclaim.</summary>
public sealed class BatchedFlush : FlushDesign
{
    /// <inheritdoc/>
    public override string Id => "batched";

    /// <inheritdoc/>
    public override string Title => "Linux 6.12: mmu_gather, and reclaim flushes many pages at once";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override string Source => "mm/rmap.c, arch/x86/mm/tlb.c; commits 72b252aed506 (2015), 5ee2fa2f0636 (2022)";

    /// <inheritdoc/>
    public override string Story =>
        "Besides the gathers, reclaim unmaps many pages of many processes and flushes once, before it frees them. Two counters of the "
        + "process say whether such a flush is owed; who takes a table's lock to change entries looks at them and flushes everything "
        + "first.";

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts) => parts;
}
