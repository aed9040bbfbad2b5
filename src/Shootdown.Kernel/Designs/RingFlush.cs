using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Producers and readers of the ring.</summary>
internal sealed class RingFlush : TlbFlush
{
    private const int MmsMax = 2;
    private const ulong NoGeneration = 0;
    private readonly RingMistake _mistake;
    private readonly int _slots;
    private readonly bool _publishesFirst;
    private readonly PerMm<FlushRingWords> _rings;

    public RingFlush(KernelModel kernel, RingMistake mistake, int slots, bool publishesFirst)
        : base(kernel)
    {
        _mistake = mistake;
        _slots = slots;
        _publishesFirst = publishesFirst || mistake == RingMistake.GenerationFirst;
        _rings = new PerMm<FlushRingWords>(Machine, MmsMax, mm => new FlushRingWords(Machine, mm, slots));
    }

    private bool LooksAtGenerations => _mistake is not (RingMistake.LagUnchecked or RingMistake.GenerationFirst or RingMistake.ProducersUnordered);

    /// <summary>A flush that knows no range (batched unmapping).</summary>
    public override async Proc<ulong> IncMmTlbGen(Cpu cpu, Mm mm) => await Append(cpu, mm, PageRange.All, 0, false);

    public override async Proc FlushTlbMmRange(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
    {
        await cpu.PreemptDisable();
        ulong newTlbGen = await Append(cpu, mm, range, strideLevel, freedTables);
        FlushTlbInfo info = FlushTlbInfo.Of(mm, range, strideLevel, freedTables, newTlbGen);
        CpuSet mask = await cpu.Load(mm.CpuMask, weight: StepWeight.Context);
        if (!mask.Without(cpu).IsEmpty)
        {
            await FlushTlbMulti(cpu, mask, _mistake == RingMistake.LazyNotInterrupted ? info.WithoutFreedTables() : info);
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

    /// <summary>True if all slots between two generations are there and none of them freed tables.</summary>
    public async Proc<bool> CanReplayLate(Cpu cpu, Mm mm, ulong from, ulong to)
    {
        if (to - from > (ulong)_slots && _mistake != RingMistake.LagUnchecked)
        {
            return false;
        }

        for (ulong generation = from + 1; generation <= to; generation++)
        {
            RingSlot slot = _rings[mm].At(generation);
            if (LooksAtGenerations && await cpu.Load(slot.Generation) != generation)
            {
                return false;
            }

            if (new FlushTlbInfo(await cpu.Load(slot.Info)).FreedTables && _mistake != RingMistake.TablesReplayedLate)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Flushes what the slots between two generations say, or everything.</summary>
    [KernelName]
    public async Proc Replay(Cpu cpu, Mm mm, ulong from, ulong to)
    {
        bool found = to - from <= (ulong)_slots || _mistake == RingMistake.LagUnchecked;
        int strides = 0;
        for (ulong generation = from + 1; generation <= to && found; generation++)
        {
            RingSlot slot = _rings[mm].At(generation);
            found = !LooksAtGenerations || await cpu.Load(slot.Generation, weight: StepWeight.Context) == generation;
            var info = new FlushTlbInfo(await cpu.Load(slot.Info, weight: StepWeight.Context), slot.Wide is null ? 0 : await cpu.Load(slot.Wide));
            if (found && LooksAtGenerations && _mistake != RingMistake.TornSlot)
            {
                found = await cpu.Load(slot.Generation) == generation;
            }

            int stride = Machine.Paging.SpanOf(info.StrideLevel);
            strides += info.Range.Count / stride;
            bool fits = !info.Range.IsAll && strides <= Kernel.Options.FlushCeiling;
            if (!fits && _mistake == RingMistake.CoalescedPastCeiling && !info.Range.IsAll)
            {
                return;
            }

            found = found && fits;
            for (int page = info.Range.Start; found && page < info.Range.End; page += stride)
            {
                await cpu.Invlpg(page);
            }
        }

        if (!found)
        {
            await cpu.FlushTlbLocal();
        }
    }

    protected override async Proc Flush(Cpu cpu, FlushTlbInfo info, ulong localTlbGen, ulong mmTlbGen)
    {
        int index = info.MmIndex ?? (int)(await cpu.Load(Kernel.TlbStates[cpu.Index].LoadedMm) - KernelModel.LoadedMmSwitching - 1);
        await Replay(cpu, Kernel.Mms[index], localTlbGen, mmTlbGen);
    }

    /// <summary>
    /// Puts a flush into the ring and makes its generation visible: an atomic increment, so that the changes of entries
    /// before it are ordered before the read of the mask behind it, as in <c>inc_mm_tlb_gen</c>.
    /// </summary>
    private async Proc<ulong> Append(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
    {
        FlushTlbInfo info = FlushTlbInfo.Of(mm, range, strideLevel, freedTables, NoGeneration);
        if (_mistake == RingMistake.ProducersUnordered)
        {
            return await AppendUnordered(cpu, mm, info);
        }

        await cpu.SpinLock(_rings[mm].Lock);
        ulong newest = await cpu.Load(mm.TlbGen);
        RingSlot slot = _rings[mm].At(newest + 1);
        if (_mistake == RingMistake.CoalescedIntoNewest && newest > 1)
        {
            await Widen(cpu, _rings[mm].At(newest), range);
            await cpu.SpinUnlock(_rings[mm].Lock);
            return newest;
        }

        ulong generation = _publishesFirst ? await cpu.AddReturn(mm.TlbGen, 1) : newest + 1;
        await Fill(cpu, slot, generation, info);
        if (!_publishesFirst)
        {
            await cpu.AddReturn(mm.TlbGen, 1);
        }

        await cpu.SpinUnlock(_rings[mm].Lock);
        return generation;
    }

    private static async Proc Fill(Cpu cpu, RingSlot slot, ulong generation, FlushTlbInfo info)
    {
        await cpu.Store(slot.Generation, NoGeneration);
        await cpu.Store(slot.Info, info.Bits);
        if (slot.Wide is not null)
        {
            await cpu.Store(slot.Wide, info.Wide);
        }

        await cpu.Store(slot.Generation, generation);
    }

    private static async Proc Widen(Cpu cpu, RingSlot slot, PageRange range)
    {
        var info = new FlushTlbInfo(await cpu.Load(slot.Info));
        await cpu.Store(slot.Info, (info.Bits & ~0xff_ffffUL) | info.Range.With(range).Bits, weight: StepWeight.Key);
    }

    private async Proc<ulong> AppendUnordered(Cpu cpu, Mm mm, FlushTlbInfo info)
    {
        ulong generation = await cpu.AddReturn(_rings[mm].Reserved, 1);
        await Fill(cpu, _rings[mm].At(generation), generation, info);
        ulong visible = await cpu.Load(mm.TlbGen);
        while (visible < generation)
        {
            ulong now = await cpu.CompareExchange(mm.TlbGen, visible, generation);
            if (now == visible)
            {
                break;
            }

            visible = now;
        }

        return generation;
    }
}
