using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Flush requests and the handler that executes them (arch/x86/mm/tlb.c). Each change of page tables that TLBs must
/// follow raises the address space's generation; each CPU notes the generation that its entries have caught up to.
/// </summary>
public class TlbFlush : Mechanism
{
    private readonly int _function;

    /// <summary>Registers the cross-call.</summary>
    public TlbFlush(KernelModel kernel)
        : base(kernel)
        => _function = Machine.Interrupts.RegisterFunction("flush_tlb_func", ReceiveFlush);

    /// <summary>mm/pgtable.c: <c>flush_tlb_page</c>: one page whose table stays.</summary>
    public virtual async Proc FlushTlbPage(Cpu cpu, Mm mm, int page)
        => await FlushTlbMmRange(cpu, mm, PageRange.Of(page, 1), 0, false);

    /// <summary>
    /// arch/x86/include/asm/tlbflush.h: <c>flush_tlb_mm</c>: everything, and as if tables were freed.
    /// </summary>
    public virtual async Proc FlushTlbMm(Cpu cpu, Mm mm) => await FlushTlbMmRange(cpu, mm, PageRange.All, 0, true);

    /// <summary>
    /// arch/x86/include/asm/tlbflush.h: <c>flush_tlb_range</c>. Says "tables were freed", because some callers unhook
    /// one; before commit 3ef938c35035 (2025) it did not.
    /// </summary>
    public virtual async Proc FlushTlbRange(Cpu cpu, Mm mm, PageRange range)
        => await FlushTlbMmRange(cpu, mm, range, 0, true);

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>flush_tlb_mm_range</c>. Returns when no CPU can use a translation of the range that was
    /// older than the call, and no TLB of a device either. Interrupts are on: waiting for others with interrupts off would deadlock two flushers.
    /// </summary>
    public virtual async Proc FlushTlbMmRange(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
    {
        await cpu.PreemptDisable();
        bool whole = range.IsAll || range.Count / Machine.Paging.SpanOf(strideLevel) > Kernel.Options.FlushCeiling;
        ulong newTlbGen = await IncMmTlbGen(cpu, mm);
        FlushTlbInfo info = FlushTlbInfo.Of(mm, whole ? PageRange.All : range, strideLevel, freedTables, newTlbGen);
        CpuSet mask = await cpu.Load(mm.CpuMask, weight: StepWeight.Context);
        if (!mask.Without(cpu).IsEmpty)
        {
            await FlushTlbMulti(cpu, mask, info);
        }
        else if (await cpu.Load(Kernel.TlbStates[cpu.Index].LoadedMm) == mm.LoadedValue)
        {
            await FlushTlbFuncLocal(cpu, info);
        }

        await cpu.PreemptEnable();
        if (mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.ArchInvalidateSecondaryTlbs(cpu, mm, range);
        }
    }

    /// <summary>
    /// arch/x86/include/asm/tlbflush.h: <c>inc_mm_tlb_gen</c>. A locked increment: the full fence between the changes
    /// of entries before it and the read of the mask behind it. Pairs with the locked set of the mask bit in
    /// switch_mm_irqs_off.
    /// </summary>
    public virtual async Proc<ulong> IncMmTlbGen(Cpu cpu, Mm mm) => await cpu.AddReturn(mm.TlbGen, 1);

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>native_flush_tlb_multi</c>. If tables are freed, every CPU of the mask is interrupted,
    /// also lazy ones: their walkers must not read a table that is used for something else. Otherwise only those that
    /// <see cref="ShouldFlushTlb"/>, asked as the request is sent.
    /// </summary>
    public virtual async Proc FlushTlbMulti(Cpu cpu, CpuSet mask, FlushTlbInfo info)
    {
        Machine.Timed?.TraceTlbFlush(cpu, TlbFlushReason.RemoteSendIpi, info.Range.IsAll ? -1 : info.Range.Count);
        CpuSet targets = default;
        for (int other = mask.First; other >= 0; other = mask.After(other))
        {
            Cpu target = Machine.Cpus[other];
            if (info.FreedTables || await ShouldFlushTlb(cpu, target, info))
            {
                targets = targets.With(target);
            }
        }

        await OnEachCpuMask(cpu, targets, info);
    }

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>should_flush_tlb</c> (with the fix fea4e317f9e7 of 2025; 6.1 to 6.13 as released look
    /// only at laziness). A lazy CPU catches up by generation when it leaves lazy mode. A CPU in the middle of a
    /// switch may hold entries of either address space. The read of loaded_mm comes first, so that laziness is no
    /// older than it (<c>smp_rmb</c>; x86 keeps loads in order).
    /// </summary>
    public virtual async Proc<bool> ShouldFlushTlb(Cpu cpu, Cpu target, FlushTlbInfo info)
    {
        CpuTlbState state = Kernel.TlbStates[target.Index];
        StepWeight weight = target == cpu ? StepWeight.Detail : StepWeight.Key;
        ulong loaded = await cpu.Load(state.LoadedMm, weight: weight);
        if (await cpu.Load(state.IsLazy, weight: weight) != 0)
        {
            return false;
        }

        return info.MmIndex is not { } index
            || loaded == KernelModel.LoadedMmSwitching
            || loaded == Kernel.Mms[index].LoadedValue;
    }

    /// <summary>
    /// arch/x86/mm/tlb.c: <c>flush_tlb_func</c>. Runs with interrupts off. The generation is read before the flush
    /// and written after it: the flush is serialising, so entries filled behind it are at least as new as the
    /// generation that is noted.
    /// </summary>
    public virtual async Proc FlushTlbFunc(Cpu cpu, FlushTlbInfo info, bool local)
    {
        CpuTlbState state = Kernel.TlbStates[cpu.Index];
        ulong loaded = await cpu.Load(state.LoadedMm);
        bool isForOther = !local && info.MmIndex is { } index && Kernel.Mms[index].LoadedValue != loaded;
        if (isForOther || loaded == KernelModel.InitMm)
        {
            return;
        }

        if (await cpu.Load(state.IsLazy) != 0)
        {
            // Cheaper than flushing: drop the user page tables. The slot keeps its old generation.
            await Kernel.SwitchMm.SwitchMmIrqsOff(cpu, null);
            return;
        }

        Mm mm = Kernel.Mms[(int)(loaded - KernelModel.LoadedMmSwitching - 1)];
        int asid = (int)await cpu.Load(state.LoadedAsid);
        Word slotTlbGen = state.SlotTlbGen[asid];
        ulong localTlbGen = await cpu.Load(slotTlbGen);
        if (IsUpToDate(info.NewTlbGen, localTlbGen))
        {
            return;
        }

        ulong mmTlbGen = await cpu.Load(mm.TlbGen);
        if (localTlbGen != mmTlbGen)
        {
            await Flush(cpu, info, localTlbGen, mmTlbGen);
            await CatchUp(cpu, mm, slotTlbGen, mmTlbGen);
        }

        TraceTlbFlush(cpu, info, local, localTlbGen, mmTlbGen);
    }

    /// <summary>
    /// The early exit of <c>flush_tlb_func</c>: this CPU did the requested flush, or a larger one, before. A request
    /// without a generation is never done before.
    /// </summary>
    protected virtual bool IsUpToDate(ulong newTlbGen, ulong localTlbGen)
        => newTlbGen != FlushTlbInfo.TlbGenerationInvalid && newTlbGen <= localTlbGen;

    /// <summary>
    /// The flush of <c>flush_tlb_func</c>. Page by page only if this request is the only thing that the CPU has
    /// missed; if requests arrive out of order, the missing one may have been larger.
    /// </summary>
    [KernelName]
    protected virtual async Proc Flush(Cpu cpu, FlushTlbInfo info, ulong localTlbGen, ulong mmTlbGen)
    {
        if (IsPartial(info, localTlbGen, mmTlbGen))
        {
            int stride = Machine.Paging.SpanOf(info.StrideLevel);
            for (int page = info.Range.Start; page < info.Range.End; page += stride)
            {
                await cpu.Invlpg(page);
            }
        }
        else
        {
            await cpu.FlushTlbLocal();
        }
    }

    /// <summary>True if invalidating the pages of the request is enough.</summary>
    protected static bool IsPartial(FlushTlbInfo info, ulong localTlbGen, ulong mmTlbGen)
        => !info.Range.IsAll && info.NewTlbGen == localTlbGen + 1 && info.NewTlbGen == mmTlbGen;

    /// <summary>The tracepoint at the end of <c>flush_tlb_func</c>; only a machine that measures has it.</summary>
    private void TraceTlbFlush(Cpu cpu, FlushTlbInfo info, bool local, ulong localTlbGen, ulong mmTlbGen)
    {
        if (Machine.Timed is { } timed)
        {
            long pages = localTlbGen == mmTlbGen ? 0
                : IsPartial(info, localTlbGen, mmTlbGen) ? info.Range.Count / Machine.Paging.SpanOf(info.StrideLevel) : -1;
            timed.TraceTlbFlush(
                cpu,
                !local ? TlbFlushReason.RemoteShootdown
                    : info.MmIndex is null ? TlbFlushReason.LocalShootdown : TlbFlushReason.LocalMmShootdown,
                pages);
        }
    }

    /// <summary>
    /// The end of <c>flush_tlb_func</c>: the slot has caught up to the generation that was read before the flush.
    /// </summary>
    protected virtual async Proc CatchUp(Cpu cpu, Mm mm, Word slotTlbGen, ulong mmTlbGen)
        => await cpu.Store(slotTlbGen, mmTlbGen);

    /// <summary>
    /// kernel/smp.c: <c>on_each_cpu_cond_mask</c> with the CPUs that were chosen: interrupts the others, runs the
    /// function here if this CPU is one of them, then waits. The request travels with the IPI: the kernel keeps it in
    /// this CPU's <c>flush_tlb_info</c>, which nobody changes until all have answered.
    /// </summary>
    protected virtual async Proc OnEachCpuMask(Cpu cpu, CpuSet targets, FlushTlbInfo info)
    {
        CpuSet others = targets.Without(cpu);
        if (!others.IsEmpty)
        {
            await SmpCallFunctionMany(cpu, others, info);
        }

        if (targets.Contains(cpu))
        {
            await FlushTlbFuncLocal(cpu, info);
        }

        if (!others.IsEmpty)
        {
            await CsdLockWait(cpu);
        }
    }

    /// <summary>kernel/smp.c: the part of <c>smp_call_function_many_cond</c> that sends the request.</summary>
    [KernelName]
    protected virtual async Proc SmpCallFunctionMany(Cpu cpu, CpuSet others, FlushTlbInfo info)
        => await cpu.SendIpi(others, _function, info.Bits, info.Wide);

    /// <summary>kernel/smp.c: the part of <c>smp_call_function_many_cond</c> that waits for all who were interrupted.</summary>
    [KernelName]
    protected virtual async Proc CsdLockWait(Cpu cpu) => await cpu.AwaitIpiAcknowledgements();

    /// <summary>Runs the handler on the initiator itself, with interrupts off as everywhere.</summary>
    [KernelName]
    protected virtual async Proc FlushTlbFuncLocal(Cpu cpu, FlushTlbInfo info)
    {
        await cpu.InterruptsOff();
        await FlushTlbFunc(cpu, info, true);
        await cpu.InterruptsOn();
    }

    [KernelName]
    private async Proc ReceiveFlush(Cpu cpu, Cpu sender)
    {
        Machine.Timed?.CountTlbInterrupt(cpu);
        var info = new FlushTlbInfo(await cpu.IpiArgument(sender), cpu.WideIpiArgument(sender));
        await FlushTlbFunc(cpu, info, false);
    }
}
