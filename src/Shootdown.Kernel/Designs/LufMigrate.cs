using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Migration gives the old frame up, owed, instead of freeing it.</summary>
internal sealed class LufMigrate(KernelModel kernel) : Migrate(kernel)
{
    private LufBatch Luf => (LufBatch)Kernel.TlbBatch;

    /// <summary>A folio that stays, or that somebody else holds, may be freed by who knows of nothing.</summary>
    protected override async Proc MigrateFolioDone(Cpu cpu, int frame, bool moved)
    {
        bool owed = !(await Luf.TakeMine(cpu, FrameSet.Of(frame))).Mine.IsEmpty;
        if (owed && moved && await cpu.CompareExchange(Kernel.Folios[frame].Frame.RefCount, 1, 0) == 1)
        {
            await Luf.GiveUp(cpu, FrameSet.Of(frame));
            return;
        }

        if (owed)
        {
            await Luf.LufFlush(cpu);
        }

        await base.MigrateFolioDone(cpu, frame, moved);
    }
}
