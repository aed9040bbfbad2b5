using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Flushes are deferred and nobody is told: the kernel before 2017.</summary>
public sealed class UnmarkedDeferral : FlushDesign
{
    /// <inheritdoc/>
    public override string Id => "unmarked";

    /// <inheritdoc/>
    public override string Title => "flushes are deferred, and nobody can see that";

    /// <inheritdoc/>
    public override int Year => 2015;

    /// <inheritdoc/>
    public override string Source => "Linux 4.3 to 4.12: mmu_gather without a count, batched unmapping without a word (B01, B02)";

    /// <inheritdoc/>
    public override bool IsSound => false;

    /// <inheritdoc/>
    public override string Story =>
        "As Linux 6.12, but nothing tells of a flush that is owed. Who finds an entry empty or read-only believes that it has been "
        + "flushed.";

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with { MmuGather = kernel => new Gather(kernel), TlbBatch = kernel => new Batch(kernel) };
    }

    private sealed class Gather(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc<bool> MmTlbFlushNested(Cpu cpu, Mm mm) => false;
    }

    private sealed class Batch(KernelModel kernel) : TlbBatch(kernel)
    {
        public override async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        {
        }
    }
}
