using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B18: why a page-by-page flush needs two conditions, and why the generation is read before it.</summary>
public sealed class GenPartialOutOfOrder : Scenario
{
    /// <inheritdoc/>
    public override string Id => "gen-partial-out-of-order";

    /// <inheritdoc/>
    public override string Number => "B18";

    /// <inheritdoc/>
    public override string Title => "two flush requests overtake each other and one is never done";

    /// <inheritdoc/>
    public override int Year => 2017;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["b0579ade7cd8", "94b1b03b519b"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["generation", "reclaim", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 4, "CPU0 is a thread, CPU1 reclaims, CPU2 calls madvise, CPU3 is another thread"),
        new("pages", 2, 2, 3, "page 0 is for madvise, the others are reclaimed"),
        new("rule", 0, 0, 3, "what the bug leaves out: 0 both conditions, 1 \"next generation\", 2 \"newest\", 3 order"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        Every flush request has a generation; every CPU notes the generation that its TLB has caught up to. A
        CPU that handles a request looks at how far the address space has come by now, flushes, and notes that.
        Requests that arrive later and are not newer than what is noted are skipped: they were done.

        Flushing page by page instead of everything is allowed only if the pages of this request are all that
        the CPU has missed: the request is the next generation after the CPU's own, and it is the newest of the
        address space. IPIs of two senders may arrive in any order, so each condition matters. Without the
        first, a CPU at 1 that gets request 3 before request 2 flushes the pages of 3, notes 3, and skips 2.
        Without the second, it gets request 2 while 3 is on its way, flushes the pages of 2, notes 3, and skips
        3. Either way one request is acknowledged and never done, and its sender frees what it unmapped.

        A third rule is the order: the generation that is noted is the one that was read before the flush. If
        it is read after the flush, an entry that was changed in between counts as flushed.

        These are rules of the design since it was made (2017), not a bug that was released. The bug here is a
        flush_tlb_func() without one of them; bound "rule" chooses which.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: reclaim: clears the entry of C; generation 2; the IPI to CPU0 is slow.",
        "CPU2: madvise: clears the entry of B; generation 3; IPI to CPU0.",
        "CPU0: receives the second request first, flushes only B, notes generation 3.",
        "CPU0: receives the first one: 2 is not above 3; acknowledges it and flushes nothing.",
        "CPU1: frees the frame of C.",
        "CPU0: loads C and reaches the freed frame.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "arch/x86/mm/tlb.c: flush_tlb_func, and its comment on when a partial flush is allowed",
        "commits 94b1b03b519b and b0579ade7cd8 (2017), which brought generations",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { TlbFlush = kernel => new FlushWithoutRule(kernel, setup["rule"]) };

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
        for (int index = 0; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            if (index is 0 or 3)
            {
                stage.AddThread(index, "user", () => LoadBoth(kernel, cpu, mm, pages));
            }
        }

        stage.AddKernelThread(1, "reclaim", () => ReclaimLast(kernel, stage.Cpu(1), mm, pages));
        Promise promise = stage.Promise(2, 1, PromiseKind.Removed, "madvise()");
        stage.AddKernelThread(2, "process_madvise", () => Discard(kernel, stage.Cpu(2), mm, promise));
        return stage.ToModel(setup, new PLife(), new PRet(), new PWrite());
    }

    /// <summary>Loads from the page that madvise discards, then from the one that is reclaimed last.</summary>
    private static async Proc LoadBoth(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        await kernel.UserAccess.UserLoad(cpu, mm, 0);
        await kernel.UserAccess.UserLoad(cpu, mm, pages - 1);
    }

    /// <summary>Reclaim without batching: one flush and one free a page.</summary>
    private static async Proc ReclaimLast(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        for (int page = 1; page < pages; page++)
        {
            await kernel.Reclaim.ShrinkFolioList(cpu, 1UL << page, false);
        }
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    /// <summary>flush_tlb_func() without one of its rules.</summary>
    private sealed class FlushWithoutRule(KernelModel kernel, int rule) : TlbFlush(kernel)
    {
        private readonly int _rule = rule;

        /// <inheritdoc/>
        protected override async Proc Flush(Cpu cpu, FlushTlbInfo info, ulong localTlbGen, ulong mmTlbGen)
        {
            // A condition that is left out holds always.
            ulong local = _rule is 0 or 1 ? info.NewTlbGen - 1 : localTlbGen;
            ulong newest = _rule is 0 or 2 ? info.NewTlbGen : mmTlbGen;
            await base.Flush(cpu, info, local, newest);
        }

        /// <inheritdoc/>
        protected override async Proc CatchUp(Cpu cpu, Mm mm, Word slotTlbGen, ulong mmTlbGen)
        {
            ulong noted = _rule == 3 ? await cpu.Load(mm.TlbGen, weight: StepWeight.Key) : mmTlbGen;
            await base.CatchUp(cpu, mm, slotTlbGen, noted);
        }
    }
}
