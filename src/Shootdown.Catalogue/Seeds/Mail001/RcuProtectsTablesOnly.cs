using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-06: what RCU protects a lockless walker from.</summary>
public sealed class RcuProtectsTablesOnly : SeedItem
{
    private static readonly string[] Walkers = ["interrupts off", "rcu_read_lock"];
    private static readonly string[] Frees = ["at once", "behind an IPI", "after a grace period"];

    /// <inheritdoc/>
    public override string Id => "S001-06";

    /// <inheritdoc/>
    public override string Lines => "41-46";

    /// <inheritdoc/>
    public override string Claim => "RCU keeps tables from being freed under GUP-fast, but the pin can come behind clear and flush";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        khugepaged removes the table of a file's range and frees it: at once, behind an empty IPI, or after a grace period. The flush is a
        broadcast. A walker reads with interrupts off, or in an RCU section with interrupts on. P-life is judged. Then the anonymous
        collapse of the race, where no table is freed at all: P-pin.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. from walker in Walkers
           from free in Frees
           select SeedRun.OfModel($"{walker}, {free}", $"table removed: {walker}, freed {free}", () => Model(walker, free)),
        SeedRun.OfScenario("pin behind the flush", "gup-fast-vs-collapse", Variant.Bug),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var table = new SeedTable(
            "a table is removed and freed",
            ["walker", .. Frees],
            [.. Walkers.Select(walker => new[] { walker }.Concat(Frees.Select(free => results[$"{walker}, {free}"].Cell)).ToArray())]);
        bool protects = Walkers.All(walker => results.Passed($"{walker}, after a grace period"));
        bool distinct = results.Passed("interrupts off, behind an IPI") && results.Violated("rcu_read_lock, behind an IPI");
        bool late = results["pin behind the flush"].Property == "P-pin";
        return new SeedAnswer(
            protects && late ? SeedVerdict.Holds : SeedVerdict.Refuted,
            $"a grace period {(protects ? "protects" : "does not protect")} the table; "
                + $"the pin {(late ? "still comes" : "does not come")} behind the flush; "
                + $"an IPI is {(distinct ? "no grace period: RCU readers are not waited for" : "as good as a grace period")}")
        {
            Tables = [table],
        };
    }

    private static CheckModel Model(string walker, string free)
    {
        var parts = new KernelParts
        {
            TlbFlush = GupModels.Broadcast,
            Gup = kernel => walker == Walkers[0] ? new Gup(kernel) : new GupUnderRcu(kernel),
            PmdCollapse = kernel => free == Frees[2] ? new PmdCollapse(kernel) : new FreesTable(kernel, free == Frees[1]),
        };
        Stage stage = CollapseStage.Make(GupModels.Setup(), 2, 1, parts, grace: true);
        stage.AddThread(0, "khugepaged", () => Remove(stage));
        stage.AddThread(1, "user", GupModels.Pins(stage));
        return GupModels.Model(stage, [new PLife()]);
    }

    private static async Proc Remove(Stage stage) => await stage.Kernel.PmdCollapse.CollapsePteMappedThp(stage.Cpu(0), stage.Mm, 0);

    private sealed class GupUnderRcu(KernelModel kernel) : Gup(kernel)
    {
        protected override async Proc LocalIrqSave(Cpu cpu) => await cpu.RcuReadLock();

        protected override async Proc LocalIrqRestore(Cpu cpu) => await cpu.RcuReadUnlock();
    }

    private sealed class FreesTable(KernelModel kernel, bool synchronises) : PmdCollapse(kernel)
    {
        private readonly bool _synchronises = synchronises;

        public override async Proc PteFreeDefer(Cpu cpu, int table)
        {
            if (_synchronises)
            {
                await Kernel.PageTableFree.TlbRemoveTableSyncOne(cpu);
            }

            await cpu.FreeTable(table, "pte_free");
        }
    }
}
