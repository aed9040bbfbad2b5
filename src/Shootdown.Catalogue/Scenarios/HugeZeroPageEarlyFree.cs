using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S01: the huge zero page is given back before the flush, and the shrinker frees it.</summary>
public sealed class HugeZeroPageEarlyFree : Scenario
{
    /// <inheritdoc/>
    public override string Id => "huge-zero-page-early-free";

    /// <inheritdoc/>
    public override string Number => "S01";

    /// <inheritdoc/>
    public override string Title => "the huge zero page is freed while a TLB still maps it";

    /// <inheritdoc/>
    public override int Year => 2016;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["aa88b68c3b1d"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["thp", "gather", "madvise", "shrinker"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 4, "CPU0 calls madvise, CPU1 is the shrinker, the others load"),
        new("pages", 1, 1, 2, "small pages of the huge page"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A read of memory that nobody has written to can be served by one page of zeros for everybody; for huge
        pages by one huge page of zeros. Because that is 2 MiB, a shrinker frees it under memory pressure when
        nobody uses it: huge_zero_refcount counts the users, and the shrinker's own reference is the last one.

        When such a mapping is removed, zap_huge_pmd() cleared the entry and dropped its reference at once.
        Every other page goes into the gather, which keeps its reference until the TLBs are flushed. Between
        the two, the shrinker finds that the reference is its own, and frees the page. Other CPUs still hold
        the translation and read whatever the memory is used for next.

        The fix hands the reference to the gather. Later kernels go further: the process keeps one reference
        until it ends.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: loads A, which the huge zero page Z serves; its TLB holds A -> Z, read-only.",
        "CPU0: madvise: the huge entry is cleared; the reference to Z is dropped; no flush yet.",
        "CPU1: the shrinker finds one reference, its own, and frees Z.",
        "CPU2: loads A through its TLB and reads Z.",
        "CPU0: flushes.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit aa88b68c3b1d, \"thp: keep huge zero page pinned until tlb flush\"",
        "mm/huge_memory.c: zap_huge_pmd, shrink_huge_zero_page_scan",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { HugeMemory = kernel => new HugeMemoryBefore2016(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];

        // The huge zero page, and the small page that a fault maps instead.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, framesPerPage: 2);
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithHugePage(options, pages, Pte.Leaf(0, write: false), parts, zero: true);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "madvise", () => Discard(kernel, stage.Cpu(0), mm, promise));
        stage.AddKernelThread(1, "shrinker", () => kernel.HugeMemory.ShrinkHugeZeroPageScan(stage.Cpu(1)));
        for (int index = 2; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PLife(), new PRet());
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    /// <summary>zap_huge_pmd() before aa88b68c3b1d: put_huge_zero_page() at once.</summary>
    private sealed class HugeMemoryBefore2016(KernelModel kernel) : HugeMemory(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc PutHugePage(TlbGather tlb, int frame)
            => await tlb.Cpu.PutFrames(1UL << frame, "put_huge_zero_page");
    }
}
