using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-02: what collapse relied on.</summary>
public sealed class CollapseReliedOnInterrupts : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S001-02";

    /// <inheritdoc/>
    public override string Lines => "15-18";

    /// <inheritdoc/>
    public override string Claim => "collapse clears and flushes the PMD, and relied on walkers that have interrupts off being waited for";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        collapse_huge_page() whole, with tables of two entries, beside a lockless pin that looks at the PTE again but not at the PMD, and
        without the later IPI: the kernel before 2022. The flush is an IPI. Then the same with a walker that leaves interrupts on.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("interrupts off", "gup-fast-vs-collapse", Variant.Fix, ("cover", 2)),
        SeedRun.OfModel("interrupts on", "collapse flush=ipi walker=interrupts on", () => GupModels.Collapse(Open, GupModels.Pins, [new PPin()])),
    ];

    private static KernelParts Open => GupFastVsCollapse.PartsWith(recheck: false, syncIpi: false, flushIpi: true) with
    {
        Gup = kernel => new OpenWalk(kernel),
    };

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        return (results.Passed("interrupts off"), results["interrupts on"].Property == "P-pin") switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Holds, "with a flush by IPI and interrupts off the pin is safe; with interrupts on the obsolete page is pinned"),
            (true, false) => new SeedAnswer(SeedVerdict.Refuted, "the pin is safe with interrupts on, too"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "the pin is not safe although interrupts are off and the flush is an IPI"),
        };
    }

    private sealed class OpenWalk(KernelModel kernel) : GupFastVsCollapse.GupWithoutRecheck(kernel)
    {
        protected override async Proc LocalIrqSave(Cpu cpu)
        {
        }

        protected override async Proc LocalIrqRestore(Cpu cpu)
        {
        }
    }
}
