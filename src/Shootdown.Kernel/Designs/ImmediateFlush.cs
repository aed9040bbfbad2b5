using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Every changed entry is flushed at once, under the table's lock.</summary>
public sealed class ImmediateFlush : FlushDesign
{
    /// <inheritdoc/>
    public override string Id => "immediate";

    /// <inheritdoc/>
    public override string Title => "flush every changed entry at once";

    /// <inheritdoc/>
    public override int Year => 1989;

    /// <inheritdoc/>
    public override string Source => "Black et al., ASPLOS 1989: the shootdown of Mach; ptep_clear_flush() used everywhere";

    /// <inheritdoc/>
    public override string Story =>
        "Nothing is deferred, so nobody has to learn of a flush that is owed: who finds an entry changed, under the table's lock, "
        + "finds it flushed. Every entry costs a flush and an IPI to every CPU that runs the process.";

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with { MmuGather = kernel => new Gather(kernel), TlbBatch = kernel => new UnbatchedReclaim(kernel) };
    }

    private sealed class Gather(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc TlbRemoveTlbEntry(TlbGather tlb, int page, int level)
        {
            await base.TlbRemoveTlbEntry(tlb, page, level);
            await TlbFlushMmuTlbonly(tlb);
        }

        /// <summary>Whoever cleared an entry that is found empty has flushed it.</summary>
        public override async Proc<bool> MmTlbFlushNested(Cpu cpu, Mm mm) => false;
    }
}

/// <summary>Reclaim that flushes page by page.</summary>
internal sealed class UnbatchedReclaim(KernelModel kernel) : TlbBatch(kernel)
{
    public override async Proc<bool> ShouldDeferFlush(Cpu cpu, Mm mm) => false;

    /// <summary>Nothing is ever batched, so there is nothing to ask for.</summary>
    public override async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
    {
    }
}
