using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B50: flushing when a frame is used again, and what else may be used again before.</summary>
public sealed class LatrLufLazyUnmap : Scenario
{
    private const int OldData = 1;

    /// <inheritdoc/>
    public override string Id => "latr-luf-lazy-unmap";

    /// <inheritdoc/>
    public override string Number => "B50";

    /// <inheritdoc/>
    public override string Title => "a flush that waits for the frame's re-use waits too long";

    /// <inheritdoc/>
    public override int Year => 2024;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["design", "reclaim", "deferred-flush", "munmap"];

    /// <inheritdoc/>
    public override string Property => "P-ret";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 2, 3, "CPU0 reclaims (hazard 4: calls munmap), the others use the memory"),
        new("pages", 1, 1, 2, "pages that are unmapped"),
        new("hazard", 1, 1, 4, "1 the address is used again, 2 the page cache changes, 3 an allocation forgets, 4 LATR's delay"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A stale translation that only allows loads does no harm as long as its frame keeps its contents. So reclaim
        could unmap without flushing, note the CPUs, and flush when the frame is about to be handed out. LUF (2024)
        proposes this for Linux; LATR (2018) also lets munmap() return and has every CPU flush at its next tick.

        The allocator is not the only one who makes stale translations wrong. The process may unmap the address and
        map it again: it finds nothing mapped, flushes nothing, and another thread still reads the old page (1,
        P-ret). The file's page may leave the page cache and come back as another folio, with new contents,
        while a reader still has the old one: it reads old data after it was told of the new (2, assert). A frame
        may be handed out on a path that forgets to look (3, P-life). And munmap() that returns before all CPUs have
        flushed must not let the address be mapped again before (4, assert).

        The fix has a hook at each of these places. It closes a window in (2) that Linux 6.12 leaves open: there
        a clean folio leaves the page cache before the batched flush (./shootdown designs batched).

        The catalogue's fourth hazard, entries that allow stores but are clean, is none on this machine: the
        first store through a clean translation walks the tables again, and faults.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: loads A; its TLB holds A -> F, read-only.",
        "CPU0: reclaim: clears the entry of A, notes CPU2, gives F up without a flush.",
        "CPU1: munmap of A: finds a swap entry; nothing to flush; returns. Something else may be mapped there now.",
        "CPU2: loads A through its TLB and reads F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "linux-mm: Byungchul Park, LUF (v10 to v12, 2024-25), and the review of v10 on the page cache",
        "Kumar et al., \"LATR: Lazy Translation Coherence\", ASPLOS 2018",
    ];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return setup["hazard"] switch
        {
            1 => AddressReused(setup).ToModel(new PRet()),
            2 => PageCacheStage.Build(Parts(setup, ReuseMistake.PageCacheChanged), PageCacheStage.Options, 0, setup["cpus"] > 2)
                .ToAssertedModel(setup, new PLife()),
            3 => AllocatorSkipsHook(setup).ToModel(new PLife()),
            _ => AddressHandedOut(setup).ToAssertedModel(setup),
        };
    }

    private static KernelParts Parts(ScenarioSetup setup, ReuseMistake mistake)
        => new LazyUntilReuse(setup.IsBug ? mistake : ReuseMistake.None).Apply(new KernelParts());

    private static Stage ReadOnlyStage(ScenarioSetup setup, ReuseMistake mistake, int cpus, bool mmapWriters)
    {
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2);
        var kernel = new KernelModel(new MachineModel(options), null, Parts(setup, mistake));
        Mm mm = kernel.NewMm("mm", pages, mmapWriters);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: false));
        }

        return new Stage(kernel, mm);
    }

    private static Stage AddressReused(ScenarioSetup setup)
    {
        int pages = setup["pages"];
        Stage stage = ReadOnlyStage(setup, ReuseMistake.AddressReused, 3, mmapWriters: true);
        KernelModel kernel = stage.Kernel;
        stage.AddKernelThread(0, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), Stage.MappedFrames(pages), true));
        Promise promise = stage.Promise(1, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(1, "munmap", () => kernel.Munmap.DoMunmap(stage.Cpu(1), stage.Mm, promise));
        stage.AddThread(2, "user", () => Stage.LoadPages(kernel, stage.Cpu(2), stage.Mm, pages));
        return stage;
    }

    private static Stage AllocatorSkipsHook(ScenarioSetup setup)
    {
        int pages = setup["pages"];
        Stage stage = ReadOnlyStage(setup, ReuseMistake.AllocatorSkipsHook, setup["cpus"], mmapWriters: false);
        KernelModel kernel = stage.Kernel;
        stage.AddKernelThread(0, "reclaim", () => ReclaimAndAlloc(kernel, stage.Cpu(0), pages));
        for (int index = 1; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(kernel, cpu, stage.Mm, pages));
        }

        return stage;
    }

    private static async Proc ReclaimAndAlloc(KernelModel kernel, Cpu cpu, int pages)
    {
        await kernel.Reclaim.ShrinkFolioList(cpu, Stage.MappedFrames(pages), true);
        await ((LufBatch)kernel.TlbBatch).AllocSlab(cpu);
    }

    /// <summary>munmap() leaves the other CPUs a note; each flushes at its next tick.</summary>
    private static Stage AddressHandedOut(ScenarioSetup setup)
    {
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 2);
        FlushDesign latr = new Latr(setup.IsBug ? LatrMistake.AddressNotKept : LatrMistake.None);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, latr.Apply(new KernelParts()));
        KernelModel kernel = stage.Kernel;
        Word told = stage.Machine.NewWord("message");
        for (int page = 0; page < pages; page++)
        {
            stage.Machine.SetInitial(stage.Machine.Paging.Frames[page].Content.Address, OldData);
        }

        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => UnmapAndMap(kernel, stage.Cpu(0), stage.Mm, promise, told));
        for (int index = 1; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => LoadWhenTold(kernel, cpu, stage.Mm, told, pages));
        }

        return stage;
    }

    private static async Proc UnmapAndMap(KernelModel kernel, Cpu cpu, Mm mm, Promise promise, Word told)
    {
        await kernel.Munmap.DoMunmap(cpu, mm, promise);
        await kernel.Munmap.MmapRegion(cpu, mm, promise.FirstPage, promise.PageCount);
        await cpu.Store(told, 1, weight: StepWeight.Key);
    }

    private static async Proc LoadWhenTold(KernelModel kernel, Cpu cpu, Mm mm, Word told, int pages)
    {
        if (await cpu.Load(told) == 0)
        {
            return;
        }

        for (int page = 0; page < pages; page++)
        {
            int found = await kernel.UserAccess.UserLoadValue(cpu, mm, page);
            await cpu.Assert(found != OldData, "the memory was mapped anew, and is empty");
        }
    }
}
