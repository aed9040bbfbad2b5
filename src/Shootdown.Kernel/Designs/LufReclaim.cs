using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class LufReclaim(KernelModel kernel) : Reclaim(kernel)
{
    private LufBatch Luf => (LufBatch)Kernel.TlbBatch;

    protected override async Proc FreeUnrefFolios(Cpu cpu, FrameSet frames)
    {
        (FrameSet owed, FrameSet others) = await Luf.TakeMine(cpu, frames);
        if (!owed.IsEmpty)
        {
            await Luf.GiveUp(cpu, owed);
        }

        if (!others.IsEmpty)
        {
            await base.FreeUnrefFolios(cpu, others);
        }
    }

    /// <summary>A folio that stays may be freed by somebody who knows of nothing.</summary>
    protected override async Proc<bool> RemoveMapping(Cpu cpu, int frame, FolioMapping mapping)
    {
        bool removed = await base.RemoveMapping(cpu, frame, mapping);
        if (!removed && !(await Luf.TakeMine(cpu, FrameSet.Of(frame))).Mine.IsEmpty)
        {
            await Luf.LufFlush(cpu);
        }

        return removed;
    }
}
