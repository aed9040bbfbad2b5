using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>Generations that are noted with changes, and what flushes have reached.</summary>
internal sealed class GenerationFlush : TlbFlush
{
    private const int MmsMax = 2;
    private readonly IncrementRule _rule;
    private readonly ImmutableArray<Word> _deferGen;
    private readonly ImmutableArray<Word> _aim;
    private readonly PerMm<Word> _completed;

    public GenerationFlush(KernelModel kernel, int pagesPerNote, IncrementRule rule)
        : base(kernel)
    {
        _rule = rule;
        _deferGen = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb.defer_gen"))];
        _aim = [.. Machine.Cpus.Select(cpu => Machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb.aim"))];
        Notes = new DeferralNotes(Machine, pagesPerNote);
        _completed = new PerMm<Word>(Machine, MmsMax, mm => Machine.NewWord(mm == 0 ? "mm.tlb_gen_completed" : $"mm{mm}.tlb_gen_completed", 1));
    }

    /// <summary>Where generations are noted.</summary>
    public DeferralNotes Notes { get; }

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

        await Raise(cpu, Notes.Of(mm, page), mine);
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
            await Raise(cpu, _completed[mm], done);
        }
    }

    /// <summary>pte_tlb_flush_pending() of the series, for a page.</summary>
    public async Proc<bool> IsPending(Cpu cpu, Mm mm, int page) => await Unreached(cpu, mm, await cpu.Load(Notes.Of(mm, page))) != 0;

    /// <summary>Flushes what others noted for the pages that this gather has walked and have not flushed yet.</summary>
    public async Proc FlushWalked(Cpu cpu, Mm mm)
    {
        ulong owed = await Unreached(cpu, mm, await Notes.TakeNewest(cpu));
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

    /// <summary>A noted generation if flushes have not reached it yet, else 0.</summary>
    [KernelName]
    private async Proc<ulong> Unreached(Cpu cpu, Mm mm, ulong generation)
        => generation != 0 && await cpu.Load(_completed[mm]) < generation ? generation : 0;

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
