using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>B05: a page is copied although a TLB still lets stores through: its entry counts as not accessible.</summary>
public sealed class NumaProtnoneMigration : Scenario
{
    /// <inheritdoc/>
    public override string Id => "numa-protnone-migration";

    /// <inheritdoc/>
    public override string Number => "B05";

    /// <inheritdoc/>
    public override string Title => "migration trusts a NUMA hint that no TLB was told of, and a store is lost";

    /// <inheritdoc/>
    public override int Year => 2013;

    /// <inheritdoc/>
    public override IReadOnlyList<string> References => ["20841405940e", "af2c1401e6f9", "0a2c40487f3e"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["deferred-flush", "gather", "migration", "numa"];

    /// <inheritdoc/>
    public override string Property => "assert";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("cpus", 3, 3, 4, "CPU0 sets NUMA hints, CPU1 moves the page, the others store and load"),
        new("pages", 1, 1, 2, "pages of the range"),
    ];

    /// <inheritdoc/>
    public override string Story =>
        """
        NUMA balancing finds out who uses a page by making its entry inaccessible (PROT_NONE): the next access
        faults and tells. change_prot_numa() does it for a range, with mmap_lock held for reading only, and
        flushes once at the end.

        Meanwhile compaction, or the fault of another thread, moves the page. ptep_clear_flush() clears the
        entry, and flushes only if the entry could be in a TLB (pte_accessible()): a PROT_NONE entry could not,
        so there is nothing to flush. That forgets its predecessor. A third CPU still has the accessible entry
        and stores through it to the old page, while or after that is copied. When its TLB entry goes at last,
        the thread finds the copy, without its store.

        The fix tells that flushes are pending: mm->tlb_flush_pending is raised before the first entry is
        changed and lowered behind the flush, and pte_accessible() says yes for PROT_NONE entries as long as
        it is raised. First a flag, it became a count in 2017, when gathers of other kinds used it too.

        The property is that a thread finds what it stored. Nobody else stores here.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Steps =>
    [
        "CPU2: stores to A; its TLB holds A -> F.",
        "CPU0: change_prot_numa: the entry of A becomes protnone; unlock; the flush is still to come.",
        "CPU1: moves the page: ptep_clear_flush() finds no accessible entry and does not flush; copies F to G.",
        "CPU2: stores to A through its TLB: into F.",
        "CPU1: the entry of A becomes G.  CPU0: flushes.",
        "CPU2: loads A: G, without its store.",
    ];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Sources =>
    [
        "commit 20841405940e, \"mm: fix TLB flush race between migration, and change_protection_range\"",
        "arch/x86/include/asm/pgtable.h: pte_accessible; mm/pgtable-generic.c: ptep_clear_flush",
    ];

    /// <inheritdoc/>
    public override KernelParts? BugParts(ScenarioSetup setup) => new() { PteOps = kernel => new PteOpsBefore2013(kernel) };

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        int cpus = setup["cpus"];
        int pages = setup["pages"];
        MachineOptions options = Stage.FlatOptions(setup, cpus, pages, 2);
        KernelParts parts = PartsOf(setup);
        Stage stage = Stage.WithMappedPages(
            options, pages, mmapWriters: false, dirty: true, parts, new KernelOptions { AnonFolios = true });
        (KernelModel kernel, Mm mm) = stage;
        stage.AddThread(0, "numa hints", () => kernel.NumaHinting.ChangeProtNuma(stage.Cpu(0), mm, 0, pages));
        stage.AddKernelThread(1, "compaction", () => kernel.Migrate.CompactZone(stage.Cpu(1), 0, pages, false));
        for (int index = 2; index < cpus; index++)
        {
            Cpu cpu = stage.Cpu(index);
            stage.AddThread(index, "user", () => StoreThenLoad(kernel, cpu, mm, pages));
        }

        Property[] others = setup.IsBug ? [] : [new PLife()];
        return new CheckModel(stage.Machine, [new Assertions(), .. others], ["assert"]);
    }

    private static async Proc StoreThenLoad(KernelModel kernel, Cpu cpu, Mm mm, int pages)
    {
        for (int page = 0; page < pages; page++)
        {
            await kernel.UserAccess.UserStore(cpu, mm, page, 1);
            int found = await kernel.UserAccess.UserLoadValue(cpu, mm, page);
            await cpu.Assert(found == 1, "a thread finds what it stored");
        }
    }

    /// <summary>pte_accessible() before 20841405940e: only the entry itself counts.</summary>
    private sealed class PteOpsBefore2013(KernelModel kernel) : PteOps(kernel)
    {
        /// <inheritdoc/>
        public override async Proc<bool> PteAccessible(Cpu cpu, Mm mm, Pte value) => value.Present;
    }
}
