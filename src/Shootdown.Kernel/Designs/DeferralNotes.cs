using System.Collections.Immutable;
using System.Numerics;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Generations that flushes must reach, noted where entries were changed, and which of the notes a gather has come by. Small machines have
/// a word for every few pages and a mask; machines of real size a word for every page table that was changed, and a list.
/// </summary>
internal sealed class DeferralNotes : MachineHandle
{
    private const int PagesMax = 8;
    private readonly int _pagesPerNote;
    private readonly ImmutableArray<Word> _walked;
    private readonly ImmutableArray<Word> _notes;
    private readonly Dictionary<(int Mm, int Note), Word> _made = [];
    private readonly ImmutableArray<List<Word>> _walkedList;

    internal DeferralNotes(MachineModel machine, int pagesPerNote)
        : base(machine)
    {
        bool isTimed = machine.Timed is not null;
        _pagesPerNote = isTimed ? machine.Options.EntriesPerTable : pagesPerNote;
        _walked = [.. machine.Cpus.Select(cpu => machine.NewLocalWord(cpu, $"cpu{cpu.Index}.tlb.walked"))];
        _notes = isTimed ? [] : [.. Enumerable.Range(0, PagesMax).Select(note => machine.NewWord($"defer_tlb_gen[{note}]"))];
        _walkedList = isTimed ? [.. machine.Cpus.Select(_ => new List<Word>())] : [];
    }

    /// <summary>The note for a page.</summary>
    internal Word Of(Mm mm, int page)
    {
        int note = page / _pagesPerNote;
        if (_notes.Length > 0)
        {
            return _notes[note];
        }

        if (!_made.TryGetValue((mm.Index, note), out Word? word))
        {
            _made.Add((mm.Index, note), word = Machine.NewWord("defer_tlb_gen"));
        }

        return word;
    }

    /// <summary>A gather comes by pages, under their table's lock.</summary>
    internal async Proc Walk(Cpu cpu, Mm mm, int first, int end)
    {
        if (Machine.Timed is not null)
        {
            for (int page = first; page < end; page = ((page / _pagesPerNote) + 1) * _pagesPerNote)
            {
                _walkedList[cpu.Index].Add(Of(mm, page));
            }

            return;
        }

        ulong walked = await cpu.Load(_walked[cpu.Index]);
        for (int page = first; page < end; page++)
        {
            walked |= 1UL << (page / _pagesPerNote);
        }

        await cpu.Store(_walked[cpu.Index], walked);
    }

    /// <summary>The newest generation in the notes that the gather has come by, which are forgotten; 0 if none says anything.</summary>
    internal async Proc<ulong> TakeNewest(Cpu cpu)
    {
        ulong newest = 0;
        if (Machine.Timed is not null)
        {
            for (int i = 0; i < _walkedList[cpu.Index].Count; i++)
            {
                newest = Math.Max(newest, await cpu.Load(_walkedList[cpu.Index][i]));
            }

            _walkedList[cpu.Index].Clear();
            return newest;
        }

        for (ulong rest = await cpu.Load(_walked[cpu.Index]); rest != 0; rest &= rest - 1)
        {
            newest = Math.Max(newest, await cpu.Load(_notes[BitOperations.TrailingZeroCount(rest)]));
        }

        await cpu.Store(_walked[cpu.Index], 0);
        return newest;
    }
}
