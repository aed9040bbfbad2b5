using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Every deferred change takes a generation, and the flush at the end one more.</summary>
public sealed class AlwaysIncrement : FlushDesign
{
    /// <inheritdoc/>
    public override string Id => "always-increment";

    /// <inheritdoc/>
    public override string Title => "every change and every flush takes a generation of its own";

    /// <inheritdoc/>
    public override int Year => 2021;

    /// <inheritdoc/>
    public override string Source => "seed 002: the correction that its author names, without aiming the last flush";

    /// <inheritdoc/>
    public override string Story =>
        "A CPU that switches to the process between two changes of a gather sees a generation that does not cover the second one, and "
        + "catches up later. The flush at the end takes a new generation as always; it is more than one ahead of every CPU, so it is "
        + "never page by page. Detection of what is owed is that of Linux 6.12.";

    /// <inheritdoc/>
    public override KernelParts Apply(KernelParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        return parts with { MmuGather = kernel => new Gather(kernel) };
    }

    private sealed class Gather(KernelModel kernel) : MmuGather(kernel)
    {
        public override async Proc TlbRemoveTlbEntry(TlbGather tlb, int page, int level)
        {
            await Kernel.TlbFlush.IncMmTlbGen(tlb.Cpu, tlb.Mm);
            await base.TlbRemoveTlbEntry(tlb, page, level);
        }

        public override async Proc TlbRemoveTableEntry(TlbGather tlb, int page, int level)
        {
            await Kernel.TlbFlush.IncMmTlbGen(tlb.Cpu, tlb.Mm);
            await base.TlbRemoveTableEntry(tlb, page, level);
        }
    }
}
