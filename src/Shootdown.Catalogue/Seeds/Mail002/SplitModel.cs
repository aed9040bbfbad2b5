using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>An area is split while a flush of it is owed (S002-09).</summary>
internal static class SplitModel
{
    /// <summary>The model.</summary>
    /// <param name="locked">True if the split takes mmap_lock for writing, as __split_vma() needs it.</param>
    /// <param name="carries">True if the new area inherits what is noted in the old one.</param>
    public static CheckModel Build(bool locked, bool carries)
    {
        var options = new MachineOptions { Cpus = 4, EntriesPerTable = 1, Tables = 1, Frames = 1 };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: true, dirty: true);
        (KernelModel kernel, Mm mm) = stage;
        MachineModel machine = stage.Machine;
        var area = new SplitArea(machine);
        stage.AddKernelThread(0, "madvise", () => ClearAndFlush(kernel, stage.Cpu(0), mm, area));
        stage.AddKernelThread(1, "split", () => SplitVma(kernel, stage.Cpu(1), mm, area, locked, carries));
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

    /// <summary>mm/vma.c: <c>__split_vma</c>: the page is in the new area from here on.</summary>
    private static async Proc SplitVma(KernelModel kernel, Cpu cpu, Mm mm, SplitArea area, bool locked, bool carries)
    {
        if (locked)
        {
            await kernel.MmapLock.MmapWriteLock(cpu, mm);
        }

        if (carries)
        {
            await cpu.Store(area.New, await cpu.Load(area.Old));
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

    /// <summary>Notes of the old area and of the one that is split off it.</summary>
    private sealed class SplitArea(MachineModel machine) : MachineHandle(machine)
    {
        public Word Old { get; } = machine.NewWord("vma.defer_tlb_gen");

        public Word New { get; } = machine.NewWord("new_vma.defer_tlb_gen");

        public Word IsSplit { get; } = machine.NewWord("vma_is_split");

        public Word Completed { get; } = machine.NewWord("mm.tlb_gen_completed");

        public async Proc<Word> NoteOf(Cpu cpu) => await cpu.Load(IsSplit) != 0 ? New : Old;
    }
}
