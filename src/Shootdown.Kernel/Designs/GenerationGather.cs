using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class GenerationGather(KernelModel kernel, bool aimed, bool comparesGeneration) : MmuGather(kernel)
{
    private readonly bool _aimed = aimed;
    private readonly bool _comparesGeneration = comparesGeneration;

    private GenerationFlush Generations => (GenerationFlush)Kernel.TlbFlush;

    public override async Proc TlbRemoveTlbEntry(TlbGather tlb, int page, int level)
    {
        await Generations.ReadDeferTlbFlushGen(tlb.Cpu, tlb.Mm, page);
        await base.TlbRemoveTlbEntry(tlb, page, level);
    }

    /// <summary>Also a table that was unhooked: a CPU that caught up in between may have cached it again.</summary>
    public override async Proc TlbRemoveTableEntry(TlbGather tlb, int page, int level)
    {
        await Generations.ReadDeferTlbFlushGen(tlb.Cpu, tlb.Mm, page);
        await base.TlbRemoveTableEntry(tlb, page, level);
    }

    public override async Proc TlbFinishMmu(TlbGather tlb)
    {
        if (_comparesGeneration)
        {
            await TlbFlushMmuTlbonly(tlb);
            await Generations.FlushWalked(tlb.Cpu, tlb.Mm);
        }

        await base.TlbFinishMmu(tlb);
    }

    public override async Proc<bool> MmTlbFlushNested(Cpu cpu, Mm mm) => !_comparesGeneration && await base.MmTlbFlushNested(cpu, mm);

    protected override async Proc TlbFlush(TlbGather tlb, ulong flags)
    {
        await Generations.Aim(tlb.Cpu, _aimed);
        await base.TlbFlush(tlb, flags);
        await Generations.MarkMmTlbGenDone(tlb.Cpu, tlb.Mm);
    }
}
