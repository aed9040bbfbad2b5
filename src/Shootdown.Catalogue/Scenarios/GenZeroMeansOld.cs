using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B17: a flush request without a generation is taken for one that was done long ago.</summary>
public sealed class GenZeroMeansOld : Scenario
{
    /// <inheritdoc/>
    public override string Id => "gen-zero-means-old";

    /// <inheritdoc/>
    public override string Number => "B17";

    /// <inheritdoc/>
    public override string Title => "a batched flush carries generation 0 and is taken for old";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["8f1d56f64f8d", "aa44284960d5"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["generation", "reclaim", "deferred-flush"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 reclaims, the others run threads of the process"),
        new("pages", 1, 1, 4, "pages that are reclaimed in one batch"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Every flush request on x86 carries the generation that a CPU has reached once it did the flush; each
        CPU notes the generation that it has caught up to. In July 2022 an early exit was added to
        flush_tlb_func(): if the requested generation is not above the CPU's own, the CPU did that flush
        before and may return at once, without touching the shared counter of the address space.

        One kind of request has no generation. arch_tlbbatch_flush(), which reclaim uses for what it unmapped
        in a batch, says "catch up with whatever you run"; its generation field is 0. Zero is not above
        anything, so every CPU returned without flushing, and reclaim freed pages that could still be read and
        written through stale entries. Hugh Dickins found it within days by swapping heavily.

        The fix gives the sentinel a name, TLB_GENERATION_INVALID, and lets it disable the early exit.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: loads A; its TLB holds A -> F.",
        "CPU0: reclaim: clears the entry, adds it to the batch, raises the generation of the address space.",
        "CPU0: arch_tlbbatch_flush(): IPI to CPU1 with generation 0.",
        "CPU1: flush_tlb_func(): 0 is not above its own generation; returns without flushing.",
        "CPU0: frees F.",
        "CPU1: loads A and reaches F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 8f1d56f64f8d, \"x86/mm/tlb: Ignore f->new_tlb_gen when zero\", fixing aa44284960d5",
        "arch/x86/mm/tlb.c: flush_tlb_func, arch_tlbbatch_flush",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { TlbFlush = kernel => new FlushOfJuly2022(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        KernelParts parts = PartsOf(setup);
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: false, parts);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddKernelThread(0, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), Stage.MappedFrames(pages), true));
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.LoadPages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PLife(), new PWrite());
    }

    /// <summary>flush_tlb_func() between aa44284960d5 and 8f1d56f64f8d: 0 is a generation like any other.</summary>
    private sealed class FlushOfJuly2022(KernelModel kernel) : TlbFlush(kernel)
    {
        /// <inheritdoc/>
        protected override bool IsUpToDate(ulong newTlbGen, ulong localTlbGen) => newTlbGen <= localTlbGen;
    }
}
