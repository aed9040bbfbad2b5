using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class GenerationZap(KernelModel kernel) : Zap(kernel)
{
    public override async Proc ZapPteRange(TlbGather tlb, int first, int end)
    {
        await ((GenerationFlush)Kernel.TlbFlush).Notes.Walk(tlb.Cpu, tlb.Mm, first, end);
        await base.ZapPteRange(tlb, first, end);
    }
}
