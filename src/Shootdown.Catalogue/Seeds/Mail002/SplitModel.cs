using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What becomes of the note of the area that is split or merged away.</summary>
internal enum NoteCarry
{
    /// <summary>The area that is left keeps what it has: nothing, if it is new.</summary>
    None,

    /// <summary>It gets the note of the other area in place of its own.</summary>
    Copied,

    /// <summary>It gets the later of the two.</summary>
    Later,
}

/// <summary>An area is split, merged with its neighbour, or grows, while a flush of it is owed (S002-09).</summary>
internal static class SplitModel
{
    /// <summary>The model.</summary>
    /// <param name="moves">True if the page goes over to the area that is left (a split, or the area is merged away); false if it is in it before.</param>
    /// <param name="locked">True if the split or merge takes mmap_lock for writing, as __split_vma() and vma_merge() need it.</param>
    /// <param name="carry">What becomes of the other area's note; null if there is no other area: this one grows.</param>
    public static CheckModel Build(bool moves, bool locked, NoteCarry? carry)
    {
        var options = new MachineOptions { Cpus = 4, EntriesPerTable = 1, Tables = 1, Frames = 1 };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: true, dirty: true);
        (KernelModel kernel, Mm mm) = stage;
        MachineModel machine = stage.Machine;
        var area = new SplitArea(machine, moves);
        stage.AddKernelThread(0, "madvise", () => ClearAndFlush(kernel, stage.Cpu(0), mm, area));
        stage.AddKernelThread(1, "split or merge", () => ChangeArea(kernel, stage.Cpu(1), mm, area, locked, carry));
        Promise promise = new(machine, stage.Cpu(2), mm.Space, 0, 1, PromiseKind.Removed, "madvise()");
        stage.AddKernelThread(2, "madvise", () => FindEmpty(kernel, stage.Cpu(2), mm, area, promise));
        stage.AddThread(3, "user", () => Touch(stage.Cpu(3)));
        return stage.ToModel(new PRet());
    }

    private static async Proc ClearAndFlush(KernelModel kernel, Cpu cpu, Mm mm, SplitArea area)
    {
        await kernel.MmapLock.MmapReadLock(cpu, mm);
        Word note = await area.NoteOf(cpu);
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, 0);
        await kernel.PteOps.PtepGetAndClear(cpu, table, 0);
        await cpu.Store(note, await kernel.TlbFlush.IncMmTlbGen(cpu, mm), weight: StepWeight.Key);
        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        await kernel.TlbFlush.FlushTlbPage(cpu, mm, 0);
        await cpu.Store(area.Completed, 1, weight: StepWeight.Key);
        await kernel.MmapLock.MmapReadUnlock(cpu, mm);
    }

    /// <summary>mm/vma.c: <c>__split_vma</c>, <c>vma_merge</c> or <c>vma_expand</c>: the page is in the area that is left from here on.</summary>
    [KernelName("vma_adjust")]
    private static async Proc ChangeArea(KernelModel kernel, Cpu cpu, Mm mm, SplitArea area, bool locked, NoteCarry? carry)
    {
        if (locked)
        {
            await kernel.MmapLock.MmapWriteLock(cpu, mm);
        }

        if (carry is NoteCarry.Copied or NoteCarry.Later)
        {
            ulong other = await cpu.Load(area.Old);
            ulong own = carry == NoteCarry.Later ? await cpu.Load(area.New) : 0;
            await cpu.Store(area.New, Math.Max(other, own));
        }

        await cpu.Store(area.IsSplit, 1, weight: StepWeight.Key);
        if (locked)
        {
            await kernel.MmapLock.MmapWriteUnlock(cpu, mm);
        }
    }

    private static async Proc FindEmpty(KernelModel kernel, Cpu cpu, Mm mm, SplitArea area, Promise promise)
    {
        await cpu.BeginPromise(promise);
        await kernel.MmapLock.MmapReadLock(cpu, mm);
        Word note = await area.NoteOf(cpu);
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, 0);
        bool isEmpty = (await cpu.EntryRead(table, 0)).IsNone;
        bool isOwed = isEmpty && await cpu.Load(note) != 0 && await cpu.Load(area.Completed) == 0;
        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        if (isOwed)
        {
            await kernel.TlbFlush.FlushTlbMm(cpu, mm);
        }

        await kernel.MmapLock.MmapReadUnlock(cpu, mm);
        if (isEmpty)
        {
            await cpu.ReturnPromise(promise);
        }
    }

    private static async Proc Touch(Cpu cpu) => await cpu.AccessTouch(0);

    /// <summary>Notes of the two areas. The page is in the old one first, if it moves, and in the new one in the end.</summary>
    private sealed class SplitArea(MachineModel machine, bool moves) : MachineHandle(machine)
    {
        private readonly bool _moves = moves;

        public Word Old { get; } = machine.NewWord("vma.defer_tlb_gen");

        public Word New { get; } = machine.NewWord("new_vma.defer_tlb_gen");

        public Word IsSplit { get; } = machine.NewWord("vma_is_split");

        public Word Completed { get; } = machine.NewWord("mm.tlb_gen_completed");

        public async Proc<Word> NoteOf(Cpu cpu) => !_moves || await cpu.Load(IsSplit) != 0 ? New : Old;
    }
}
