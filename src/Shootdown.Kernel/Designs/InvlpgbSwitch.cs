using Shootdown.Machine;

namespace Shootdown.Kernel;

internal sealed class InvlpgbSwitch(KernelModel kernel) : SwitchMm(kernel)
{
    private InvlpgbFlush Broadcast => (InvlpgbFlush)Kernel.TlbFlush;

    /// <summary>The part of <c>switch_mm_irqs_off</c> for the same address space: CPUs go over to its global ASID.</summary>
    public async Proc GoOverToGlobalAsid(Cpu cpu, Mm mm)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        int asid = await Broadcast.MmGlobalAsid(cpu, mm);
        if (asid != 0 && (int)await cpu.Load(state.LoadedAsid) != asid)
        {
            await LoadNewMmCr3(cpu, mm, asid, 0, false);
            await cpu.Store(state.LoadedAsid, (ulong)asid);
        }
    }

    public override async Proc SwitchMmIrqsOff(Cpu cpu, Mm? next)
    {
        ulong loaded = await cpu.Load(Kernel.TlbStates[cpu.Index].LoadedMm);
        await base.SwitchMmIrqsOff(cpu, next);
        if (next is not null && loaded == next.LoadedValue)
        {
            await GoOverToGlobalAsid(cpu, next);
        }
    }

    /// <summary>The global ASID needs no flush; the others are chosen as ever, among those that are not global.</summary>
    public override async Proc<int> ChooseNewAsid(Cpu cpu, Mm? next, ulong nextGen)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        int global = next is null ? 0 : await Broadcast.MmGlobalAsid(cpu, next);
        if (global != 0)
        {
            return global;
        }

        int dynamic = Broadcast.FirstGlobalAsid;
        ulong ctxId = next?.CtxId ?? CpuTlbState.InitMmCtxId;
        for (int asid = 0; asid < dynamic; asid++)
        {
            if (dynamic > 1 && await cpu.Load(state.SlotCtxId[asid]) == ctxId)
            {
                return asid | (await cpu.Load(state.SlotTlbGen[asid]) < nextGen ? NeedFlush : 0);
            }
        }

        int chosen = (int)await cpu.Load(state.NextAsid);
        chosen = chosen >= dynamic ? 0 : chosen;
        await cpu.Store(state.NextAsid, (ulong)chosen + 1);
        return chosen | NeedFlush;
    }

    public override async Proc LoadNewMmCr3(Cpu cpu, Mm? next, int asid, ulong nextGen, bool needFlush)
    {
        await base.LoadNewMmCr3(cpu, next, asid, nextGen, needFlush);
        await Broadcast.NoteLoadedAsid(cpu, asid);
    }

    /// <summary>A CPU that was lazy under the global ASID has missed nothing.</summary>
    protected override async Proc LeaveLazyMode(Cpu cpu, Mm mm)
    {
        if ((int)await cpu.Load(Kernel.TlbStates[cpu.Index].LoadedAsid) < Broadcast.FirstGlobalAsid)
        {
            await base.LeaveLazyMode(cpu, mm);
        }
    }
}
