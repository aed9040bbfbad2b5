using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B32: khugepaged relies on its TLB flush to wait for lockless walkers; a flush that is no IPI does not.</summary>
public sealed class GupFastVsCollapse : Scenario
{
    private const int Recheck = 0;
    private const int SyncIpi = 1;
    private const int FlushIpi = 2;

    /// <inheritdoc/>
    public override string Id => "gup-fast-vs-collapse";

    /// <inheritdoc/>
    public override string Number => "B32";

    /// <inheritdoc/>
    public override string Title => "GUP-fast pins a page that khugepaged is replacing by a huge one";

    /// <inheritdoc/>
    public override int Year => 2022;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["70cbc3cc78a9"];

    /// <inheritdoc/>
    public override string Seed => "001";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["gup", "pin", "collapse", "broadcast"];

    /// <inheritdoc/>
    public override string Property => "P-pin";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 runs khugepaged, the others pin page 0"),
        new("pages", 1, 1, 2, "pages that are mapped; the huge page has 2"),
        new("cover", 0, 0, 3, "what the fix relies on: 0 the second look at the PMD, 1 an IPI behind the flush, 2 a flush by IPI, 3 all"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        get_user_pages_fast() looks a page up without locks, with interrupts off. It reads the page tables level by
        level, takes a reference, reads the entry of the page again, and drops the reference if that has changed.

        khugepaged replaces small pages by a huge one. It clears the PMD entry and flushes; then it checks that
        nobody but the entries refers to the pages, copies them, and only then clears the entries themselves, in
        a table that nobody can reach any more. Nobody, because the flush was believed to wait: as an IPI it
        comes back only when every CPU has had its interrupts on. But on arm64, powerpc and under a hypervisor
        the flush is no IPI. A walker that has read the PMD entry before goes on, takes its reference after
        khugepaged has counted them, and finds the entry of the page unchanged. The page that it returns is no
        longer what the process uses: a device writes to it and nobody sees it.

        The fix lets GUP-fast read the PMD entry again too (70cbc3cc78a9). An IPI behind the flush covers this race
        as well; it was added for another reason (B33). With a flush by IPI there is no race.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU1: gup_fast(), interrupts off: reads PMD(A) = T and the PTE in T = F, writable.",
        "CPU0: PMD(A) := none; the flush completes without waiting for CPU1.",
        "CPU0: isolates F: its references are explained by its entries.",
        "CPU1: takes its reference of F and reads the PTE again: unchanged, so it succeeds.",
        "CPU0: copies F to H, clears the PTEs in T without a flush, PMD(A) := H.",
        "CPU1: gives F to a device. The process uses H.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "seed 001: Yang Shi and David Hildenbrand, linux-mm, August 2022",
        "mm/gup.c: gup_fast_pte_range; mm/khugepaged.c: collapse_huge_page, __collapse_huge_page_isolate",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return PartsWith(recheck: false, syncIpi: false, flushIpi: false);
    }

    /// <inheritdoc/>
    public override KernelOptions BugOptions => CollapseStage.Options;

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cover = setup["cover"];
        KernelParts parts = setup.IsBug
            ? PartsWith(false, false, false)
            : PartsWith(cover is Recheck or 3, cover is SyncIpi or 3, cover is FlushIpi or 3);
        Stage stage = CollapseStage.Make(setup, setup["cpus"], setup["pages"], parts);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddKernelThread(0, "khugepaged", () => Collapse(kernel, stage.Cpu(0), mm));
        for (int index = 1; index < setup["cpus"]; index++)
        {
            var call = new GupCall(stage.Cpu(index), mm, 0, GupFlags.Pin | GupFlags.Write | GupFlags.FastOnly);
            stage.AddThread(index, "O_DIRECT", () => Pin(kernel, call));
        }

        return stage.ToModel(setup, new PPin(), new PLife());
    }

    internal static KernelParts PartsWith(bool recheck, bool syncIpi, bool flushIpi) => new()
    {
        Gup = kernel => recheck ? new Gup(kernel) : new GupWithoutRecheck(kernel),
        Khugepaged = kernel => syncIpi ? new Khugepaged(kernel) : new CollapseWithoutSync(kernel),
        TlbFlush = kernel => flushIpi ? new TlbFlush(kernel) : new HypervisorTlbFlush(kernel),
    };

    private static async Proc Collapse(KernelModel kernel, Cpu cpu, Mm mm) => await kernel.Khugepaged.CollapseHugePage(cpu, mm, 0);

    private static async Proc Pin(KernelModel kernel, GupCall call) => await kernel.Gup.GupFastFallback(call);

    /// <summary>GUP-fast before 70cbc3cc78a9: the entry that led to the table is read once.</summary>
    internal class GupWithoutRecheck(KernelModel kernel) : Gup(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc<bool> PmdChanged(GupCall call, PageTable above, Pte pmd) => false;
    }

    /// <summary>khugepaged before 2ba99c5e0881: the flush is all.</summary>
    internal sealed class CollapseWithoutSync(KernelModel kernel) : Khugepaged(kernel)
    {
        /// <inheritdoc/>
        protected override async Proc TlbRemoveTableSyncOne(Cpu cpu)
        {
        }
    }
}
