using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>One word for all flushes that a process is owed, of gathers too; who finds it flushes first.</summary>
public sealed class PerMmPending : FlushDesign
{
    /// <inheritdoc/>
    public override string Id => "per-mm-pending";

    /// <inheritdoc/>
    public override string Title => "one word of the process says that some flush is owed";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override string Source => "tlb_flush_batched used for gathers as well; what seed 002 calls detection in the granularity of an mm";

    /// <inheritdoc/>
    public override string Story =>
        "Every deferred change counts in tlb_flush_batched, whoever makes it. Who takes a table's lock and finds that a flush is owed "
        + "makes it there and then, for the whole process, also if what is owed concerns other pages. Gathers need not look for "
        + "each other at their end.";

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with { MmuGather = kernel => new Gather(kernel), TlbBatch = kernel => new Pending(kernel) };
    }

    private sealed class Gather(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc TlbRemoveTlbEntry(TlbGather tlb, int page, int level)
        {
            await ((Pending)Kernel.TlbBatch).Note(tlb.Cpu, tlb.Mm);
            await base.TlbRemoveTlbEntry(tlb, page, level);
        }

        /// <summary>Who found an entry changed took the table's lock, and flushed there what was owed.</summary>
        public override async Proc<bool> MmTlbFlushNested(Cpu cpu, Mm mm) => false;
    }

    private sealed class Pending(KernelModel kernel) : TlbBatch(kernel)
    {
        public Proc Note(Cpu cpu, Mm mm) => IncFlushBatched(cpu, mm);
    }
}
