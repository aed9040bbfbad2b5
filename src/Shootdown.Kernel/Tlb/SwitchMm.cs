using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Context switch between address spaces (arch/x86/mm/tlb.c).</summary>
public class SwitchMm(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>arch/x86/mm/tlb.c: <c>switch_mm</c>: the switch with interrupts off.</summary>
    [KernelName("switch_mm")]
    public virtual async Proc SwitchTo(Cpu cpu, Mm? next)
    {
        await cpu.InterruptsOff();
        await SwitchMmIrqsOff(cpu, next);
        await cpu.InterruptsOn();
    }

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>leave_mm</c>: stop using user page tables (idle and CPU-hotplug code).
    /// </summary>
    public virtual async Proc LeaveMm(Cpu cpu)
    {
        if (await cpu.Load(Kernel.TlbStates[cpu.Index].LoadedMm) != KernelModel.InitMm)
        {
            await SwitchTo(cpu, null);
        }
    }

    /// <summary>
    /// kernel/kthread.c: <c>kthread_use_mm</c>: a kernel thread takes over an address space to access its memory. The
    /// task and the hardware change with interrupts off (since 38cf307c1f20): handlers of architectures that ask the
    /// task what is loaded must not run in between. x86 asks loaded_mm.
    /// </summary>
    public virtual async Proc KthreadUseMm(Cpu cpu, Mm mm)
    {
        await cpu.InterruptsOff();
        await cpu.Store(Kernel.TlbStates[cpu.Index].ActiveMm, mm.LoadedValue, weight: StepWeight.Key);
        await SwitchMmIrqsOff(cpu, mm);
        await cpu.InterruptsOn();
    }

    /// <summary>
    /// kernel/kthread.c: <c>kthread_unuse_mm</c>: the kernel thread goes on with the address space loaded, in lazy TLB mode.
    /// </summary>
    public virtual async Proc KthreadUnuseMm(Cpu cpu)
    {
        await cpu.InterruptsOff();
        await Kernel.LazyTlb.EnterLazyTlb(cpu);
        await cpu.InterruptsOn();
    }

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>switch_mm_irqs_off</c>. Interrupts are off, so the flush handler cannot run in between.
    /// Null is init_mm.
    /// </summary>
    public virtual async Proc SwitchMmIrqsOff(Cpu cpu, Mm? next)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        ulong nextValue = next?.LoadedValue ?? KernelModel.InitMm;
        ulong previous = await cpu.Load(state.LoadedMm);
        bool wasLazy = await cpu.Load(state.IsLazy) != 0;
        if (wasLazy)
        {
            // Before loaded_mm changes: who sees SWITCHING or the new mm must not see the old laziness.
            await cpu.Store(state.IsLazy, 0);
        }

        if (previous == nextValue)
        {
            if (next is not null && wasLazy)
            {
                await LeaveLazyMode(cpu, next);
            }

            return;
        }

        // From here on flushers cannot know which of the two is loaded; they count SWITCHING as "must flush".
        await cpu.Store(state.LoadedMm, KernelModel.LoadedMmSwitching, weight: StepWeight.Key);
        if (previous != KernelModel.InitMm)
        {
            await NoTarget(cpu, Kernel.Mms[(int)(previous - KernelModel.LoadedMmSwitching - 1)]);
        }

        ulong nextGen = next is null ? CpuTlbState.InitMmTlbGen : await BecomeTarget(cpu, next);
        int asid = await ChooseNewAsid(cpu, next, nextGen);
        await LoadNewMmCr3(cpu, next, asid & ~NeedFlush, nextGen, (asid & NeedFlush) != 0);

        // After CR3: until here "loaded_mm" says nothing that a flusher could rely on.
        await cpu.Store(state.LoadedMm, nextValue, weight: StepWeight.Key);
        await cpu.Store(state.LoadedAsid, (ulong)(asid & ~NeedFlush));
    }

    /// <summary>Set in the result of <see cref="ChooseNewAsid"/> if the slot must be flushed.</summary>
    protected const int NeedFlush = 1 << 8;

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>choose_new_asid</c>. The slot that the address space still has, flushed if it is behind;
    /// else the next one round-robin, flushed. Returns the slot, with <see cref="NeedFlush"/> if it must be flushed.
    /// </summary>
    public virtual async Proc<int> ChooseNewAsid(Cpu cpu, Mm? next, ulong nextGen)
    {
        if (!Kernel.HasPcid)
        {
            return NeedFlush;
        }

        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        if (await cpu.Load(state.InvalidateOther) != 0)
        {
            await ClearAsidOther(cpu);
        }

        ulong ctxId = next?.CtxId ?? CpuTlbState.InitMmCtxId;
        for (int asid = 0; asid < state.SlotCtxId.Length; asid++)
        {
            if (await cpu.Load(state.SlotCtxId[asid]) == ctxId)
            {
                return asid | (await cpu.Load(state.SlotTlbGen[asid]) < nextGen ? NeedFlush : 0);
            }
        }

        int chosen = (int)await cpu.Load(state.NextAsid);
        chosen = chosen >= state.SlotCtxId.Length ? 0 : chosen;
        await cpu.Store(state.NextAsid, (ulong)chosen + 1);
        return chosen | NeedFlush;
    }

    /// <summary>
    /// The part of <c>switch_mm_irqs_off</c> that makes this CPU a target of flushes and then reads the generation.
    /// The atomic bit operation is the fence between the two, and between the SWITCHING store and the read: either
    /// the flusher sees the bit, or this CPU sees the flusher's generation.
    /// </summary>
    [KernelName]
    protected virtual async Proc<ulong> BecomeTarget(Cpu cpu, Mm next)
    {
        await cpu.FetchOr(next.CpuMask, CpuSet.Of(cpu));
        return await cpu.Load(next.TlbGen, weight: StepWeight.Context);
    }

    /// <summary>
    /// The part of <c>switch_mm_irqs_off</c> that takes this CPU out of the mask of the address space that it leaves. Since 6.14 (209954cbc7d0)
    /// the CPU stays there until it is interrupted for nothing.
    /// </summary>
    [KernelName]
    protected virtual async Proc NoTarget(Cpu cpu, Mm old) => await cpu.FetchAndNot(old.CpuMask, CpuSet.Of(cpu));

    /// <summary>
    /// The part of <c>switch_mm_irqs_off</c> for a CPU that was lazy and goes on with the same address space. It was
    /// no target while it was lazy, so it must catch up with the generation.
    /// </summary>
    [KernelName]
    protected virtual async Proc LeaveLazyMode(Cpu cpu, Mm mm)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];

        // Orders "not lazy" before the read: either the flusher sees a target, or this CPU sees its generation.
        await cpu.FullBarrier();
        ulong nextGen = await cpu.Load(mm.TlbGen);
        int asid = (int)await cpu.Load(state.LoadedAsid);
        if (await cpu.Load(state.SlotTlbGen[asid]) != nextGen)
        {
            await LoadNewMmCr3(cpu, mm, asid, nextGen, true);
            await cpu.Store(state.LoadedMm, mm.LoadedValue);
        }
    }

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>load_new_mm_cr3</c>, with the update of the slot before it. Writing CR3 is serialising:
    /// no entry of the new root is filled before the CPU is in the mask.
    /// </summary>
    public virtual async Proc LoadNewMmCr3(Cpu cpu, Mm? next, int asid, ulong nextGen, bool needFlush)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        if (needFlush)
        {
            await cpu.Store(state.SlotCtxId[asid], next?.CtxId ?? CpuTlbState.InitMmCtxId);
            await cpu.Store(state.SlotTlbGen[asid], nextGen);
        }

        await cpu.LoadRoot(next?.Space, asid, !needFlush);
        Machine.Timed?.TraceTlbFlush(cpu, TlbFlushReason.TaskSwitch, needFlush ? -1 : 0);
    }

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>clear_asid_other</c>: all slots but the loaded one are flushed when they are used next.
    /// </summary>
    public virtual async Proc ClearAsidOther(Cpu cpu)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        int loaded = (int)await cpu.Load(state.LoadedAsid);
        for (int asid = 0; asid < state.SlotCtxId.Length; asid++)
        {
            if (asid != loaded)
            {
                await cpu.Store(state.SlotCtxId[asid], 0);
            }
        }

        await cpu.Store(state.InvalidateOther, 0);
    }
}
