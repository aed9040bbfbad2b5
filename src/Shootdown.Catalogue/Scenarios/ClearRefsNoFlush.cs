using System.Collections.Immutable;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B12: soft-dirty tracking takes write access away, but the TLBs never learn of it.</summary>
public sealed class ClearRefsNoFlush : Scenario
{
    /// <inheritdoc/>
    public override string Id => "clear-refs-no-flush";

    /// <inheritdoc/>
    public override string Number => "B12";

    /// <inheritdoc/>
    public override string Title => "clearing soft-dirty bits flushes nothing, and a store goes unnoticed";

    /// <inheritdoc/>
    public override int Year => 2020;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["912efa17e512", "9348b73c2e1b", "b3a81d0841a9"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["gather", "soft-dirty"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 runs the checkpointer, the others store"),
        new("pages", 1, 1, 4, "pages of the process"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A checkpointer copies a running process. It writes 4 to /proc/PID/clear_refs, copies the memory while
        the process goes on, stops the process, and copies again only what was written meanwhile: the kernel
        says so by the soft-dirty bit. clear_refs takes the right to write and the soft-dirty bit away from
        every entry; the next store faults, and the fault sets both again.

        That works only if TLBs forget that the pages were writable. For a while clear_refs_write() used
        tlb_gather_mmu() and tlb_finish_mmu() for it, and that looks right. But the loop over the entries
        records nothing in the gather, and a gather in which nothing is recorded flushes nothing (unless
        another one is under way). A thread with a writable, dirty TLB entry goes on storing, without a fault
        and without a mark. The checkpointer believes its first copy, and the store is missing in the image.

        The fix counts itself in mm->tlb_flush_pending and calls flush_tlb_mm() (912efa17e512). Later mmap_lock
        was taken for writing too (9348b73c2e1b), or a copy-on-write fault could copy a page that is still
        written through a stale entry.

        Here the property is what the checkpointer relies on: when the process has stopped, a page without the
        mark holds what was copied after clear_refs.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: stores to A; its TLB holds A -> F, writable and dirty.",
        "CPU0: clear_refs: the entry loses the write and the soft-dirty bit; the gather is empty: no flush.",
        "CPU0: copies A.",
        "CPU1: stores to A through its TLB: no fault, so no mark.",
        "CPU0: the process is stopped; A is not soft-dirty and differs from the copy.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 912efa17e512, \"mm: proc: Invalidate TLB after clearing soft-dirty page state\"",
        "fs/proc/task_mmu.c: clear_refs_write, clear_soft_dirty",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 1);
        KernelParts parts = setup.IsBug
            ? new KernelParts { ClearRefs = kernel => new ClearRefsWithGather(kernel) }
            : new KernelParts();
        Stage stage = Stage.WithMappedPages(
            options, pages, mmapWriters: true, dirty: true, parts, new KernelOptions { SoftDirty = true });
        (KernelModel kernel, Mm mm) = stage;
        Word stopped = stage.Machine.NewWord("stopped_threads");
        ImmutableArray<Word> copies = [.. Enumerable.Range(0, pages)
            .Select(page => stage.Machine.NewLocalWord(stage.Cpu(0), $"copy[{page}]"))];
        Promise promise = stage.Promise(0, pages, PromiseKind.WriteProtected, "clear_refs");
        stage.AddThread(0, "checkpoint", () => Checkpoint(kernel, stage.Cpu(0), mm, promise, copies, stopped));
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => StoreThenStop(kernel, cpu, mm, pages, stopped));
        }

        Property[] others = setup.IsBug ? [] : [new PRet(), new PLife()];
        return new CheckModel(stage.Machine, [new Assertions(), .. others], ["assert"]);
    }

    private static async Proc StoreThenStop(KernelModel kernel, Cpu cpu, Mm mm, int pages, Word stopped)
    {
        await Stage.StorePages(kernel, cpu, mm, pages);
        await cpu.AddReturn(stopped, 1);
    }

    private static async Proc Checkpoint(
        KernelModel kernel, Cpu cpu, Mm mm, Promise promise, ImmutableArray<Word> copies, Word stopped)
    {
        await kernel.ClearRefs.ClearRefsWrite(cpu, mm, promise);
        for (int page = 0; page < copies.Length; page++)
        {
            Word contents = kernel.Machine.Paging.Frames[page].Content;
            await cpu.Store(copies[page], await cpu.Load(contents, weight: StepWeight.Key));
        }

        await cpu.WaitUntil(stopped, Condition.Equal, (ulong)kernel.Machine.Cpus.Count - 1);
        for (int page = 0; page < copies.Length; page++)
        {
            await PagemapRead(kernel, cpu, mm, page, copies[page]);
        }
    }

    /// <summary>The second pass of the checkpointer: fs/proc/task_mmu.c: <c>pagemap_read</c>.</summary>
    private static async Proc PagemapRead(KernelModel kernel, Cpu cpu, Mm mm, int page, Word copy)
    {
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        Pte entry = await cpu.EntryRead(table, page);
        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        ulong contents = await cpu.Load(kernel.Machine.Paging.Frames[page].Content);
        await cpu.Assert(
            entry.SoftDirty || contents == await cpu.Load(copy), "a page that is not soft-dirty is as it was copied");
    }

    /// <summary>clear_refs_write() between b3a81d0841a9 and 912efa17e512: a gather that records nothing.</summary>
    private sealed class ClearRefsWithGather(KernelModel kernel) : ClearRefs(kernel)
    {
        /// <inheritdoc/>
        public override async Proc ClearRefsWrite(Cpu cpu, Mm mm, Promise promise)
        {
            await cpu.BeginPromise(promise);
            await Kernel.MmapLock.MmapReadLock(cpu, mm);
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            await WalkPageRange(cpu, mm, promise.FirstPage, promise.PageCount);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
            await Kernel.MmapLock.MmapReadUnlock(cpu, mm);
            await cpu.ReturnPromise(promise);
        }
    }
}
