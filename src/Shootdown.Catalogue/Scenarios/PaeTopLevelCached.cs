using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S02: x86-32 with PAE caches top-level entries that no INVLPG drops.</summary>
public sealed class PaeTopLevelCached : Scenario
{
    /// <inheritdoc/>
    public override string Id => "pae-top-level-cached";

    /// <inheritdoc/>
    public override string Number => "S02";

    /// <inheritdoc/>
    public override string Title => "invalidating pages leaves PAE's cached top-level entries behind";

    /// <inheritdoc/>
    public override int Year => 2013;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["1de14c3c5cbc"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["page-tables", "munmap", "pae", "gather"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 1, 1, 3, "CPU0 unmaps and loads, the others are threads that load"),
        new("pages", 1, 1, 3, "pages of the table that is freed"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        With PAE the top level of x86-32's page tables has four entries, and the CPU reads all of them when CR3
        is written. It keeps them until CR3 is written again: INVLPG, which drops everything that walk caches
        hold elsewhere, does not touch them.

        Until 2012 a flush of several pages was always a full one and wrote CR3. Then flushes of a few pages
        became page by page. If munmap() frees a PMD page, the flush of its range leaves the cached top-level
        entry behind. The CPU goes on walking through a page that is used for something else by now.

        The fix: whoever frees a PMD page sets need_flush_all in the gather. The gather's flush is then a full
        one, whatever its range.

        The model has two levels: the top level and one below it. "May keep" stands for the CPU's certain
        knowledge of all four entries.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: its copy of the top level says that entry 0 points to T.",
        "CPU0: munmap: clears the entries of T, unhooks T, flushes page by page, frees T.",
        "CPU0: loads A: the walk starts from the cached top-level entry and reads T.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 1de14c3c5cbc, \"x86-32: Fix possible incomplete TLB invalidate with PAE pagetables\"",
        "arch/x86/mm/pgtable.c: ___pmd_free_tlb; include/asm-generic/tlb.h: need_flush_all",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { MmuGather = kernel => new GatherBefore2013(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2) with
        {
            Levels = 2,
            Tables = 3,
            StickyTopLevel = true,
        };
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: true, dirty: true, parts);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => UnmapAndLoad(kernel, stage.Cpu(0), mm, promise));
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    private static async Proc UnmapAndLoad(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await kernel.Munmap.DoMunmap(cpu, mm, promise);
        await Stage.LoadPages(kernel, cpu, mm, promise.PageCount);
    }

    /// <summary>The gather before 1de14c3c5cbc knows no need_flush_all.</summary>
    private sealed class GatherBefore2013(KernelModel kernel) : MmuGather(kernel)
    {
        /// <inheritdoc/>
        public override async Proc NeedFlushAll(TlbGather tlb)
        {
        }
    }
}
