using System.Collections.Immutable;
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
    private readonly ImmutableArray<Word> _generation;
    private readonly ImmutableArray<Word> _info;
    private readonly ImmutableArray<Word> _reserved;
    private readonly ImmutableArray<Spinlock> _lock;

    public RingFlush(KernelModel kernel, RingMistake mistake, int slots, bool publishesFirst)
        : base(kernel)
    {
        _mistake = mistake;
        _slots = slots;
        _publishesFirst = publishesFirst || mistake == RingMistake.GenerationFirst;
        _generation = [.. Enumerable.Range(0, MmsMax * slots).Select(slot => Machine.NewWord($"ring[{slot}].tlb_gen"))];
        _info = [.. Enumerable.Range(0, MmsMax * slots).Select(slot => Machine.NewWord($"ring[{slot}].info"))];
        _reserved = [.. Enumerable.Range(0, MmsMax).Select(mm => Machine.NewWord($"ring_reserved[{mm}]", 1))];
        _lock = [.. Enumerable.Range(0, MmsMax).Select(mm => Machine.NewSpinLock($"ring_lock[{mm}]"))];
    }

    private bool LooksAtGenerations => _mistake is not (RingMistake.LagUnchecked or RingMistake.GenerationFirst or RingMistake.ProducersUnordered);

    /// <summary>A flush that knows no range (batched unmapping).</summary>
    public override async Proc<ulong> IncMmTlbGen(Cpu cpu, Mm mm) => await Append(cpu, mm, PageRange.All, 0, false);

    public override async Proc FlushTlbMmRange(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
    {
        await cpu.PreemptDisable();
        ulong newTlbGen = await Append(cpu, mm, range, strideLevel, freedTables);
        FlushTlbInfo info = FlushTlbInfo.Of(mm, range, strideLevel, freedTables, newTlbGen);
        ulong mask = await cpu.Load(mm.CpuMask, weight: StepWeight.Context);
        if ((mask & ~cpu.Bit) != 0)
        {
            await FlushTlbMulti(cpu, mask, _mistake == RingMistake.LazyNotInterrupted ? info.WithoutFreedTables() : info);
        }
        else if (await cpu.Load(Kernel.TlbStates[cpu.Index].LoadedMm) == mm.LoadedValue)
        {
            await FlushTlbFuncLocal(cpu, info);
        }

        await cpu.PreemptEnable();
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
            int slot = SlotOf(mm, generation);
            if (LooksAtGenerations && await cpu.Load(_generation[slot]) != generation)
            {
                return false;
            }

            if (new FlushTlbInfo(await cpu.Load(_info[slot])).FreedTables && _mistake != RingMistake.TablesReplayedLate)
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
            int slot = SlotOf(mm, generation);
            found = !LooksAtGenerations || await cpu.Load(_generation[slot], weight: StepWeight.Context) == generation;
            var info = new FlushTlbInfo(await cpu.Load(_info[slot], weight: StepWeight.Context));
            if (found && LooksAtGenerations && _mistake != RingMistake.TornSlot)
            {
                found = await cpu.Load(_generation[slot]) == generation;
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

    private int SlotOf(Mm mm, ulong generation) => (mm.Index * _slots) + (int)(generation % (ulong)_slots);

    /// <summary>
    /// Puts a flush into the ring and makes its generation visible: an atomic increment, so that the changes of entries
    /// before it are ordered before the read of the mask behind it, as in <c>inc_mm_tlb_gen</c>.
    /// </summary>
    private async Proc<ulong> Append(Cpu cpu, Mm mm, PageRange range, int strideLevel, bool freedTables)
    {
        ulong bits = FlushTlbInfo.Of(mm, range, strideLevel, freedTables, NoGeneration).Bits;
        if (_mistake == RingMistake.ProducersUnordered)
        {
            return await AppendUnordered(cpu, mm, bits);
        }

        await cpu.SpinLock(_lock[mm.Index]);
        ulong newest = await cpu.Load(mm.TlbGen);
        int slot = SlotOf(mm, newest + 1);
        if (_mistake == RingMistake.CoalescedIntoNewest && newest > 1)
        {
            await Widen(cpu, SlotOf(mm, newest), range);
            await cpu.SpinUnlock(_lock[mm.Index]);
            return newest;
        }

        ulong generation = _publishesFirst ? await cpu.AddReturn(mm.TlbGen, 1) : newest + 1;
        await Fill(cpu, slot, generation, bits);
        if (!_publishesFirst)
        {
            await cpu.AddReturn(mm.TlbGen, 1);
        }

        await cpu.SpinUnlock(_lock[mm.Index]);
        return generation;
    }

    private async Proc Fill(Cpu cpu, int slot, ulong generation, ulong bits)
    {
        await cpu.Store(_generation[slot], NoGeneration);
        await cpu.Store(_info[slot], bits);
        await cpu.Store(_generation[slot], generation);
    }

    private async Proc Widen(Cpu cpu, int slot, PageRange range)
    {
        var info = new FlushTlbInfo(await cpu.Load(_info[slot]));
        await cpu.Store(_info[slot], (info.Bits & ~0xff_ffffUL) | info.Range.With(range).Bits, weight: StepWeight.Key);
    }

    private async Proc<ulong> AppendUnordered(Cpu cpu, Mm mm, ulong bits)
    {
        ulong generation = await cpu.AddReturn(_reserved[mm.Index], 1);
        await Fill(cpu, SlotOf(mm, generation), generation, bits);
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
