using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B40: who may write, and who may read, which copy: Dirty COW and a relative.</summary>
public sealed class CowFamily : Scenario
{
    private const int DirtyCow = 0;

    /// <inheritdoc/>
    public override string Id => "cow-family";

    /// <inheritdoc/>
    public override string Number => "B40";

    /// <inheritdoc/>
    public override string Title => "a forced write reaches the page cache (Dirty COW); a child reads what its parent writes";

    /// <inheritdoc/>
    public override int Year => 2016;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["19be0eaffa3a", "CVE-2016-5195", "17839856fd58", "CVE-2020-29374"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["gup", "copy-on-write", "fork", "madvise"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 writes, CPU1 takes the page away, the third loads"),
        new("pages", 1, 1, 2, "pages"),
        new("cve", 0, 0, 1, "0 CVE-2016-5195: a forced write; 1 CVE-2020-29374: a reference of the child"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A write through /proc/PID/mem or ptrace may go to a private mapping that the process itself may only read
        (FOLL_FORCE): a debugger sets breakpoints that way. get_user_pages() finds a read-only entry and lets the
        page fault make a copy. The entry of the copy stays read-only, because the area is. So that it would not
        ask for ever, get_user_pages() then dropped its wish to write, and looked again as if to read. If another
        thread throws the copy away in between (MADV_DONTNEED), what it finds is the page of the file, and the write goes
        to the page cache: to a file that may belong to root. 4.8 kept the wish and looked for a dirty entry;
        6.0 requires a page that is marked exclusive.

        The relative (cve=1) reads: after fork parent and child share a page. The child takes a reference for a pipe
        (vmsplice) and unmaps the page. The parent stores: the page is mapped once, so it was used again without a
        copy, and the child reads through the pipe what the parent writes. 5.8 compares references, not mappings.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: get_user_pages(FOLL_FORCE | FOLL_WRITE): PTE(A) is none or read-only; the fault makes a copy C, read-only.",
        "CPU0: drops FOLL_WRITE.",
        "CPU1: madvise(MADV_DONTNEED): PTE(A) := none, C is freed.",
        "CPU0: looks again, as a reader: the fault maps the page of the file F; it is returned and written to.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "mm/gup.c: faultin_page (4.7), can_follow_write_pte (6.12); mm/memory.c: do_wp_page, reuse_swap_page (5.7)",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new()
    {
        GupSlow = kernel => new GupBefore48(kernel),
        CopyOnWrite = kernel => new ReuseByMapcount(kernel),
    };

    /// <inheritdoc/>
    public override KernelOptions BugOptions => new() { Files = true, AnonFolios = true };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return setup["cve"] == DirtyCow ? BuildForcedWrite(setup) : BuildChild(setup);
    }

    private CheckModel BuildForcedWrite(ScenarioSetup setup)
    {
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 4);
        var kernel = new KernelModel(new MachineModel(options), BugOptions, PartsOf(setup));
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: false);
        kernel.Machine.SetInitial(mm.Vmas.Address, VmAreas.Covering(0, pages).ReadOnly(0, pages).Bits);
        FileMapping file = kernel.NewFile("file", pages);
        mm.AddPrivateFileArea(file, 0, pages, 0);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildCached(file, page, page);
        }

        var stage = new Stage(kernel, mm);
        var call = new GupCall(stage.Cpu(0), mm, 0, GupFlags.Write | GupFlags.Force);
        Promise promise = stage.Promise(1, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "/proc/self/mem", () => ForcedWrite(kernel, call));
        stage.AddThread(1, "madvise", () => Discard(kernel, stage.Cpu(1), mm, promise));
        AddReaders(stage, setup, pages);
        return stage.ToAssertedModel(setup, new PLife(), new PRet());
    }

    private CheckModel BuildChild(ScenarioSetup setup)
    {
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, setup["cpus"], pages, 4) with { Tables = 2 };
        var kernel = new KernelModel(new MachineModel(options), new KernelOptions { AnonFolios = true }, PartsOf(setup));
        Mm mm = kernel.NewMm("mm", pages, mmapWriters: false);
        Mm child = kernel.NewMm("child", pages, mmapWriters: false);
        for (int page = 0; page < pages; page++)
        {
            kernel.BuildMapping(mm, page, Pte.Leaf(page, write: false));
            kernel.BuildMapping(child, page, Pte.Leaf(page, write: false));
        }

        var stage = new Stage(kernel, mm);
        var call = new GupCall(stage.Cpu(1), child, 0, GupFlags.FastOnly);
        var promise = new Promise(kernel.Machine, stage.Cpu(1), child.Space, 0, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "parent", () => Stage.StorePages(kernel, stage.Cpu(0), mm, pages));
        kernel.BuildRunning(stage.Cpu(1), child);
        kernel.Machine.AddTask(stage.Cpu(1), "child", () => Splice(kernel, call, promise));
        AddReaders(stage, setup, pages);
        return stage.ToAssertedModel(setup, new PLife(), new PRet());
    }

    private static void AddReaders(Stage stage, ScenarioSetup setup, int pages)
    {
        for (int index = 2; index < setup["cpus"]; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(stage.Kernel, cpu, stage.Mm, pages));
        }
    }

    private static async Proc ForcedWrite(KernelModel kernel, GupCall call)
    {
        int frame = await kernel.GupSlow.GetUserPages(call);
        if (frame >= 0)
        {
            FolioMapping mapping = await kernel.Rmap.FolioMappingOf(call.Cpu, frame);
            await call.Cpu.Assert(mapping.IsNone, "a write to a private mapping does not go to the page of the file");
            await call.Cpu.PutFrames(1UL << frame, "put_page");
        }
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    /// <summary>vmsplice() into a pipe, munmap(), read() from the pipe.</summary>
    private static async Proc Splice(KernelModel kernel, GupCall call, Promise promise)
    {
        int frame = await kernel.Gup.GupFastFallback(call);
        if (frame < 0)
        {
            return;
        }

        await kernel.Madvise.MadviseDontneed(call.Cpu, call.Mm, promise);
        ulong data = await call.Cpu.Load(kernel.Folios[frame].Frame.Content, weight: StepWeight.Key);
        await call.Cpu.Assert(data == 0, "the child does not read what the parent wrote after fork");
        await kernel.Gup.UnpinUserPage(call, frame);
    }

    /// <summary>get_user_pages() before 19be0eaffa3a: behind the fault the wish to write is dropped.</summary>
    private sealed class GupBefore48(KernelModel kernel) : GupSlow(kernel)
    {
        /// <inheritdoc/>
        protected override GupFlags AfterFault(GupCall call, GupFlags flags) => flags & ~GupFlags.Write;
    }

    /// <summary>do_wp_page() before 17839856fd58: a page that is mapped once is used again, whoever else refers to it.</summary>
    private sealed class ReuseByMapcount(KernelModel kernel) : CopyOnWrite(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<bool> WpCanReuseAnonFolio(Cpu cpu, int frame)
            => (await Kernel.Rmap.FolioMappingOf(cpu, frame)).IsNone
                && await cpu.Load(Kernel.Folios[frame].Frame.MapCount, weight: StepWeight.Key) == 1;
    }
}
