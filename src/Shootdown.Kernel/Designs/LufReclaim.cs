using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class LufReclaim(KernelModel kernel) : Reclaim(kernel)
{
    private LufBatch Luf => (LufBatch)Kernel.TlbBatch;

    protected override async Proc FreeUnrefFolios(Cpu cpu, FrameSet frames)
    {
        ulong owed = await Luf.TakeMine(cpu, frames.Mask);
        if (owed != 0)
        {
            await Luf.GiveUp(cpu, owed);
        }

        if (owed != frames.Mask)
        {
            await base.FreeUnrefFolios(cpu, frames.Mask & ~owed);
        }
    }

    /// <summary>A folio that stays may be freed by somebody who knows of nothing.</summary>
    protected override async Proc<bool> RemoveMapping(Cpu cpu, int frame, FolioMapping mapping)
    {
        bool removed = await base.RemoveMapping(cpu, frame, mapping);
        if (!removed && await Luf.TakeMine(cpu, 1UL << frame) != 0)
        {
            await Luf.LufFlush(cpu);
        }

        return removed;
    }
}
