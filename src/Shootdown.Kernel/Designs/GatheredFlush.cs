namespace Shootdown.Kernel;

/// <summary>mmu_gather with its count of gathers; reclaim flushes page by page.</summary>
public sealed class GatheredFlush : FlushDesign
{
    /// <inheritdoc/>
    public override string Id => "mmu-gather";

    /// <inheritdoc/>
    public override string Title => "one flush for a call, and a count of calls under way";

    /// <inheritdoc/>
    public override int Year => 2017;

    /// <inheritdoc/>
    public override string Source => "mm/mmu_gather.c; commit 99baac21e458";

    /// <inheritdoc/>
    public override string Story =>
        "A call clears entries and flushes once at its end, for the range that it changed. Raising mm->tlb_flush_pending comes before "
        + "the first change: who finds another call under way flushes everything, because it may have found entries empty that "
        + "the other one has not flushed yet.";

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with { TlbBatch = kernel => new UnbatchedReclaim(kernel) };
    }
}
