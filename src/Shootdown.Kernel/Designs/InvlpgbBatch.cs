using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class InvlpgbBatch(KernelModel kernel, BroadcastMistake mistake) : TlbBatch(kernel)
{
    private readonly BroadcastMistake _mistake = mistake;

    private InvlpgbFlush Broadcast => (InvlpgbFlush)Kernel.TlbFlush;

    public override async Proc ArchTlbbatchAddPending(Cpu cpu, Mm mm)
    {
        await Broadcast.IncMmTlbGen(cpu, mm);
        int asid = await Broadcast.MmGlobalAsid(cpu, mm);
        if (asid != 0)
        {
            await Broadcast.InvlpgbFlushUserNrNosync(cpu, asid);
        }

        if (asid == 0 || (_mistake != BroadcastMistake.BatchForgetsTransition && await Broadcast.MmInAsidTransition(cpu, mm)))
        {
            UnmapBatch batch = Kernel.UnmapBatches[cpu.Index];
            CpuSet mask = await cpu.Load(mm.CpuMask);
            await cpu.Store(batch.CpuMask, await cpu.Load(batch.CpuMask) | mask);
        }
    }

    public override async Proc ArchTlbbatchFlush(Cpu cpu)
    {
        await base.ArchTlbbatchFlush(cpu);
        if (_mistake != BroadcastMistake.BatchForgetsTlbsync)
        {
            await Broadcast.Tlbsync(cpu);
        }
    }
}
