using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B02: two MADV_DONTNEED on one range; the second returns although nothing was flushed yet.</summary>
public sealed class MadvDontneedParallel : Scenario
{
    /// <inheritdoc/>
    public override string Id => "madv-dontneed-parallel";

    /// <inheritdoc/>
    public override string Number => "B02";

    /// <inheritdoc/>
    public override string Title => "two MADV_DONTNEED on one range: the second does not flush";

    /// <inheritdoc/>
    public override int Year => 2017;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["99baac21e458"];

    /// <inheritdoc/>
    public override string Seed => "000";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["deferred-flush", "gather", "madvise"];

    /// <inheritdoc/>
    public override string Property => "P-ret";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 2, 5, "CPU0 and CPU1 call madvise, CPU1 loads afterwards, the others only load"),
        new("pages", 1, 1, 4, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        madvise(MADV_DONTNEED) throws pages away: after it has returned, every thread of the process must find
        new, empty pages. It takes mmap_lock only for reading, so two threads may do it at the same time on
        the same range.

        zap_pte_range() clears the entries under the page-table lock, but the TLB flush is put off:
        tlb_finish_mmu() does it at the end, once for the whole range. That is safe for the thread that
        cleared the entries. The other thread takes the lock later, finds the entries empty, records nothing
        in its own gather, and therefore flushes nothing. It returns while the first one has not flushed yet.
        From that moment on the process believes that the range is empty, and any of its threads may still
        read (or write) the old pages through its TLB.

        The fix counts the gathers of an address space in mm->tlb_flush_pending: raised before the first entry
        is changed, lowered after the flush. tlb_finish_mmu() looks at the count; if another gather is under
        way it flushes the whole address space, whatever it recorded itself. The count is ordered by the
        page-table lock: who finds an entry empty took the lock after the one who cleared it, and so sees that
        one's count.

        Here the bug is the same kernel with a tlb_finish_mmu() that never looks at the count.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: loads A; its TLB holds A -> F.",
        "CPU0: madvise: gather starts; under the page-table lock the entry is cleared, A and F are recorded; unlock.",
        "CPU1: madvise: gather starts; under the lock the entry is none; nothing is recorded or flushed; returns.",
        "CPU1 or CPU2: loads A, which must be empty now, and reads F through the TLB.",
        "CPU0: flushes and frees F.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "seed 000: Nadav Amit, linux-mm: the paragraph on two concurrent MADV_DONTNEED",
        "mm/mmu_gather.c: tlb_finish_mmu; include/linux/mm_inline.h: inc_tlb_flush_pending, mm_tlb_flush_nested",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { MmuGather = kernel => new GatherBefore2017(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];

        // At most one frame of a page waits in each of the two gathers, and one is mapped.
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 3);
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedPages(options, pages, mmapWriters: false, dirty: true, parts);
        for (int index = 0; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            if (index < 2)
            {
                Promise promise = stage.Promise(index, pages, PromiseKind.Removed, "madvise()");
                stage.AddThread(index, "madvise", () => Discard(stage.Kernel, cpu, stage.Mm, promise, cpu.Index == 1));
            }
            else
            {
                stage.AddThread(index, "user", () => Stage.LoadPages(stage.Kernel, cpu, stage.Mm, pages));
            }
        }

        return stage.ToModel(new PRet());
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise, bool loads)
    {
        await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        if (loads)
        {
            await Stage.LoadPages(kernel, cpu, mm, promise.PageCount);
        }
    }

    /// <summary>The gather before 99baac21e458: whoever recorded nothing flushes nothing.</summary>
    private sealed class GatherBefore2017(KernelModel kernel) : MmuGather(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<bool> MmTlbFlushNested(Cpu cpu, Mm mm) => false;
    }
}
