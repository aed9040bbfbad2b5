using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S06: invalidating a huge entry loses the dirty bit that hardware sets in between.</summary>
public sealed class PmdpInvalidateLostAd : Scenario
{
    /// <inheritdoc/>
    public override string Id => "pmdp-invalidate-lost-ad";

    /// <inheritdoc/>
    public override string Number => "S06";

    /// <inheritdoc/>
    public override string Title => "invalidating a huge entry loses the dirty bit, and reclaim the store";

    /// <inheritdoc/>
    public override int Year => 2018;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["d52605d7cb30"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["thp", "reclaim", "dirty"];

    /// <inheritdoc/>
    public override string Property => "P-write";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 3, "CPU0 splits and reclaims the huge page, the others store to it"),
        new("pages", 1, 1, 2, "small pages of the huge page"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        To split a huge page the kernel first makes its entry invalid: no CPU may use it, but it must not look
        empty (see thp-dontneed-vs-numa-clear). pmdp_invalidate() read the entry, took the present bit out of
        what it had read, and stored the result.

        Hardware does not wait for that. The first store through a clean entry sets its dirty bit, in memory,
        at any time until the entry is invalid. If that happens between the read and the store of
        pmdp_invalidate(), the bit is overwritten. The small entries that replace the huge one are clean, the
        page counts as clean, and reclaim frees it without writing it out. The data is gone.

        The fix makes invalidation one atomic exchange that returns what it replaced. On x86 it must be an
        exchange although the caller holds all locks: the page walker takes none.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: split: under the lock reads the huge entry: clean.",
        "CPU1: stores to the page: the walker sets the dirty bit in the entry.",
        "CPU0: stores the invalid entry, made from what was read: the dirty bit is lost; flushes; maps clean small pages.",
        "CPU0: reclaim: the small entry is clean: frees the page without writing it out.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit d52605d7cb30, \"mm: do not lose dirty and accessed bits in pmdp_invalidate()\"",
        "mm/pgtable-generic.c: pmdp_invalidate; arch/x86/include/asm/pgtable.h: pmdp_establish",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { HugeMemory = kernel => new HugeMemoryBefore2018(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, framesPerPage: 2);
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithHugePage(options, pages, Pte.Leaf(0, write: true), parts);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddKernelThread(0, "reclaim", () => SplitAndReclaim(kernel, stage.Cpu(0), mm, pages));
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => Stage.StorePages(kernel, cpu, mm, pages));
        }

        return stage.ToModel(setup, new PWrite(), new PLife());
    }

    private static async Proc SplitAndReclaim(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.HugeMemory.SplitHugePmd(cpu, mm, 0);
        await kernel.Reclaim.ShrinkFolioList(cpu, Stage.MappedFrames(pages), true);
    }

    /// <summary>pmdp_invalidate() before d52605d7cb30: a read and a store.</summary>
    private sealed class HugeMemoryBefore2018(KernelModel kernel) : HugeMemory(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<Pte> PmdpInvalidate(Cpu cpu, Mm mm, PageTable pmd, int page, Pte seen)
        {
            Pte read = await cpu.EntryRead(pmd, page, "pmdp_get", StepWeight.Key);
            await cpu.EntryStore(pmd, page, read.Without(Pte.PresentBit), "set_pmd_at");
            await Kernel.TlbFlush.FlushTlbRange(cpu, mm, PageRange.Of(page, Machine.Paging.SpanOf(1)));
            return read;
        }
    }
}
