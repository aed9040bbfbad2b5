using System.Collections.Immutable;
using System.Numerics;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Generations that are noted with changes, and what flushes have reached.</summary>
internal sealed class GenerationFlush : TlbFlush
{
    private const int PagesMax = 8;
    private readonly int _pagesPerNote;
    private readonly IncrementRule _rule;
    private readonly ImmutableArray<Word> _deferGen;
    private readonly ImmutableArray<Word> _aim;
    private readonly ImmutableArray<Word> _walked;
    private readonly ImmutableArray<Word> _noted;
    private readonly Word _completed;

    public GenerationFlush(KernelModel kernel, int pagesPerNote, IncrementRule rule)
        : base(kernel)
    {
        _pagesPerNote = pagesPerNote;
        _rule = rule;
        _deferGen = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb.defer_gen"))];
        _aim = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb.aim"))];
        _walked = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb.walked"))];
        _noted = [.. Enumerable.Range(0, PagesMax).Select(note => Machine.NewWord($"defer_tlb_gen[{note}]"))];
        _completed = Machine.NewWord("mm.tlb_gen_completed", 1);
    }

    /// <summary>A table's entries are looked at, under its lock.</summary>
    public async Proc Walk(Cpu cpu, int first, int end)
    {
        ulong walked = await cpu.Load(_walked[cpu.Index]);
        for (int page = first; page < end; page++)
        {
            walked |= 1UL << NoteOf(page);
        }

        await cpu.Store(_walked[cpu.Index], walked);
    }

    /// <summary>read_defer_tlb_flush_gen() of the series: after an entry was changed, under the table's lock.</summary>
    public async Proc ReadDeferTlbFlushGen(Cpu cpu, Mm mm, int page)
    {
        ulong mine = await cpu.Load(_deferGen[cpu.Index]);
        ulong current = _rule == IncrementRule.IfChanged ? await cpu.Load(mm.TlbGen, weight: StepWeight.Key) : 0;
        if (_rule == IncrementRule.Always || current != mine)
        {
            await cpu.Assert(current == 0 || current >= mine, "mm_gen >= tlb->defer_gen");
            mine = await base.IncMmTlbGen(cpu, mm);
            await cpu.Store(_deferGen[cpu.Index], mine);
        }

        await Raise(cpu, _noted[NoteOf(page)], mine);
    }

    /// <summary>A flush of the whole gather, aimed at the last generation that it noted.</summary>
    public async Proc Aim(Cpu cpu, bool aimed)
        => await cpu.Store(_aim[cpu.Index], aimed ? await cpu.Load(_deferGen[cpu.Index]) : 0);

    /// <summary>mark_mm_tlb_gen_done() of the series.</summary>
    public async Proc MarkMmTlbGenDone(Cpu cpu, Mm mm)
    {
        ulong done = await cpu.Load(_deferGen[cpu.Index]);
        await cpu.Store(_aim[cpu.Index], 0);
        await cpu.Store(_deferGen[cpu.Index], 0);
        if (done != 0)
        {
            await Raise(cpu, _completed, done);
        }
    }

    /// <summary>pte_tlb_flush_pending() of the series, for a page.</summary>
    public async Proc<bool> IsPending(Cpu cpu, int page) => await Pending(cpu, 1UL << NoteOf(page)) != 0;

    /// <summary>Flushes what others noted for the pages that this gather has walked and have not flushed yet.</summary>
    public async Proc FlushWalked(Cpu cpu, Mm mm)
    {
        ulong owed = await Pending(cpu, await cpu.Load(_walked[cpu.Index]));
        await cpu.Store(_walked[cpu.Index], 0);
        if (owed != 0)
        {
            await cpu.Store(_aim[cpu.Index], owed);
            await FlushTlbMm(cpu, mm);
            await cpu.Store(_aim[cpu.Index], 0);
        }
    }

    public override async Proc<ulong> IncMmTlbGen(Cpu cpu, Mm mm)
    {
        ulong aim = await cpu.Load(_aim[cpu.Index]);
        return aim != 0 ? aim : await base.IncMmTlbGen(cpu, mm);
    }

    private int NoteOf(int page) => page / _pagesPerNote;

    private async Proc<ulong> Pending(Cpu cpu, ulong notes)
    {
        ulong newest = 0;
        for (ulong rest = notes; rest != 0; rest &= rest - 1)
        {
            newest = Math.Max(newest, await cpu.Load(_noted[BitOperations.TrailingZeroCount(rest)]));
        }

        return newest != 0 && await cpu.Load(_completed) < newest ? newest : 0;
    }

    private static async Proc Raise(Cpu cpu, Word word, ulong value)
    {
        ulong found = await cpu.Load(word);
        while (found < value)
        {
            ulong now = await cpu.CompareExchange(word, found, value);
            if (now == found)
            {
                return;
            }

            found = now;
        }
    }
}
