using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class GenerationMprotect(KernelModel kernel) : Mprotect(kernel)
{
    public override async Proc ChangePteRange(TlbGather tlb, int first, int end, ProtectionChange change)
    {
        await ((GenerationFlush)Kernel.TlbFlush).Walk(tlb.Cpu, first, end);
        await base.ChangePteRange(tlb, first, end, change);
    }
}
