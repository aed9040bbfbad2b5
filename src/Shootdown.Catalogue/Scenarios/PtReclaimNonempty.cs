using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S04: MADV_DONTNEED frees a page table that another thread has filled again.</summary>
public sealed class PtReclaimNonempty : Scenario
{
    /// <inheritdoc/>
    public override string Id => "pt-reclaim-nonempty";

    /// <inheritdoc/>
    public override string Number => "S04";

    /// <inheritdoc/>
    public override string Title => "MADV_DONTNEED frees a page table that was filled again meanwhile";

    /// <inheritdoc/>
    public override int Year => 2025;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["6375e95f381e"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["page-tables", "madvise", "gather"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 2, 2, 4, "CPU0 calls madvise, the others store to the pages"),
        new("pages", 2, 2, 3, "pages of the table, all of which madvise covers"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        A process that maps and discards memory all the time keeps its page tables, empty or not. Since 6.14
        MADV_DONTNEED frees tables that it leaves empty. zap_pte_range() knows that a table is empty, because
        it has just cleared all entries with the table's lock held; so it unhooks the table under that lock,
        if it can get the lock of the table above at once. If it cannot, a slower path takes both locks and
        looks at all entries again.

        But zap_pte_range() does not always hold the lock all the way. If the gather is full, or somebody else
        needs the CPU, it drops the lock, flushes and frees, and goes on where it stopped. In between another
        thread can fault on a page that was cleared already, and fill its entry. The table that is unhooked at
        the end is not empty: the new page leaks, and with it the data that the thread has stored.

        The fix takes the slower path if the lock was dropped. The model's gather holds one page, so it is
        full after each.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU0: madvise(MADV_DONTNEED): clears entry 0 under the lock; the gather is full: flushes, unlocks, frees.",
        "CPU1: stores to page 0: faults, and maps a new page.",
        "CPU0: takes the lock again, clears entry 1; believes that the table is empty; unhooks and frees it.",
        "CPU1's page and what it has stored are gone.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "mm: pgtable: fix incorrect reclaim of non-empty PTE pages (February 2025), for 6375e95f381e",
        "mm/memory.c: zap_pte_range (direct_reclaim); mm/pt_reclaim.c",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { PtReclaim = kernel => new PtReclaimAsMerged(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];

        // The top-level table, the leaf table, and one that a fault makes while the old one waits for its grace period.
        MachineOptions machine = Stage.FlatOptions(setup, cpus, pages, framesPerPage: 3) with { Levels = 2, Tables = cpus + 2, GracePeriods = true };
        var options = new KernelOptions { PtReclaim = true, RcuTableFree = true, GatherFrames = 1 };
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedPages(machine, pages, mmapWriters: false, dirty: true, parts, options);
        (KernelModel kernel, Mm mm) = stage;
        Promise promise = stage.Promise(0, pages, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "madvise", () => Discard(kernel, stage.Cpu(0), mm, promise));
        for (int index = 1; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => StoreOnce(kernel, cpu, mm));
        }

        return stage.ToAssertedModel(setup, new PLife(), new PRet());
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    private static async Proc StoreOnce(KernelModel kernel, Cpu cpu, Mm mm)
        => await kernel.UserAccess.UserStore(cpu, mm, 0, 1);

    /// <summary>zap_pte_range() as it was merged: it does not notice that the lock was dropped.</summary>
    private sealed class PtReclaimAsMerged(KernelModel kernel) : PtReclaim(kernel)
    {
        /// <inheritdoc/>
        public override bool MayReclaimDirectly(ZapResult result) => true;
    }
}
