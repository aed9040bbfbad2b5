using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>A switch to an address space whose ASID is behind, and the end of lazy mode: the ring is replayed behind CR3.</summary>
internal sealed class RingSwitch : SwitchMm
{
    private readonly RingMistake _mistake;
    private readonly ImmutableArray<Word> _early;

    public RingSwitch(KernelModel kernel, RingMistake mistake)
        : base(kernel)
    {
        _mistake = mistake;
        _early = mistake == RingMistake.RingBeforeGeneration
            ? [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.ring_read_to"))]
            : [];
    }

    public override async Proc LoadNewMmCr3(Cpu cpu, Mm? next, int asid, ulong nextGen, bool needFlush)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        var ring = (RingFlush)Kernel.TlbFlush;
        bool isBehind = needFlush && next is not null && await cpu.Load(state.SlotCtxId[asid]) == next.CtxId;
        ulong local = isBehind ? await cpu.Load(state.SlotTlbGen[asid]) : 0;
        ulong readTo = isBehind && !_early.IsDefaultOrEmpty ? await cpu.Load(_early[cpu.Index]) : nextGen;
        if (!isBehind || !await ring.CanReplayLate(cpu, next!, local, readTo))
        {
            await base.LoadNewMmCr3(cpu, next, asid, nextGen, needFlush);
            return;
        }

        // Interrupts are off: no access is made before the last slot was replayed, only the walker may run ahead.
        await base.LoadNewMmCr3(cpu, next, asid, nextGen, false);
        await ring.Replay(cpu, next!, local, readTo);
        await cpu.Store(state.SlotTlbGen[asid], nextGen);
    }

    protected override async Proc<ulong> BecomeTarget(Cpu cpu, Mm next)
    {
        if (!_early.IsDefaultOrEmpty)
        {
            await cpu.Store(_early[cpu.Index], await cpu.Load(next.TlbGen, weight: StepWeight.Context));
        }

        return await base.BecomeTarget(cpu, next);
    }

    protected override async Proc LeaveLazyMode(Cpu cpu, Mm mm)
    {
        if (!_early.IsDefaultOrEmpty)
        {
            await cpu.Store(_early[cpu.Index], await cpu.Load(mm.TlbGen, weight: StepWeight.Context));
        }

        await base.LeaveLazyMode(cpu, mm);
    }
}
