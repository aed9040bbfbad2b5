using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class GenerationMprotect(KernelModel kernel) : Mprotect(kernel)
{
    public override async Proc ChangePteRange(TlbGather tlb, int first, int end, ProtectionChange change)
    {
        await ((GenerationFlush)Kernel.TlbFlush).Notes.Walk(tlb.Cpu, tlb.Mm, first, end);
        await base.ChangePteRange(tlb, first, end, change);
    }
}
