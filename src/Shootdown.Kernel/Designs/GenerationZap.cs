using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class GenerationZap(KernelModel kernel) : Zap(kernel)
{
    public override async Proc ZapPteRange(TlbGather tlb, int first, int end)
    {
        await ((GenerationFlush)Kernel.TlbFlush).Walk(tlb.Cpu, first, end);
        await base.ZapPteRange(tlb, first, end);
    }
}
