using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class GenerationPteOps(KernelModel kernel) : PteOps(kernel)
{
    /// <summary>A protnone entry is flushed only if a flush of its area or table is owed.</summary>
    public override async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int page)
    {
        Pte old = await PtepGetAndClear(cpu, table, page);
        if (old.Present || (old.ProtNone && await ((GenerationFlush)Kernel.TlbFlush).IsPending(cpu, mm, page)))
        {
            await Kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
        }

        return old;
    }
}
