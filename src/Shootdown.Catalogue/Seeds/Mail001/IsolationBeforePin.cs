using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-04: the check of references when pages are isolated.</summary>
public sealed class IsolationBeforePin : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S001-04";

    /// <inheritdoc/>
    public override string Lines => "29";

    /// <inheritdoc/>
    public override string Claim => "the page is isolated before GUP-fast raises its reference count: the check cannot see the pin";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        In the counterexample of the race the place of the check (references = mappings) and of the pin are compared. Then the check is taken
        out of a kernel that has every other cover: if that goes wrong, it is the check that deals with pins which come first.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("the race", "gup-fast-vs-collapse", Variant.Bug),
        SeedRun.OfModel("no check", "collapse without check of references", () => GupModels.Collapse(Unchecked, GupModels.Pins, [new PPin()])),
        SeedRun.OfScenario("with check", "gup-fast-vs-collapse", Variant.Fix, ("cover", 3)),
    ];

    private static KernelParts Unchecked => new() { Khugepaged = kernel => new CollapseUnchecked(kernel), TlbFlush = GupModels.Broadcast };

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var steps = results["the race"].Report?.Counterexample?.Steps.Select(step => step.Text).ToList() ?? [];
        int check = steps.FindIndex(text => text.StartsWith("folio_ref_count", StringComparison.Ordinal));
        int pin = steps.FindIndex(text => text.StartsWith("try_grab_folio_fast", StringComparison.Ordinal));
        bool before = check >= 0 && pin > check;
        bool needed = results["no check"].Property == "P-pin" && results.Passed("with check");
        return new SeedAnswer(
            before ? SeedVerdict.Holds : SeedVerdict.Refuted,
            $"in the race the check comes {(before ? "before" : "after")} the pin; "
                + $"a kernel with all covers but without the check {(needed ? "goes wrong: pins that come first are its part" : "is safe")}");
    }

    private sealed class CollapseUnchecked(KernelModel kernel) : Khugepaged(kernel)
    {
        public override async Proc<bool> IsRefcountSuitable(Cpu cpu, int frame) => true;
    }
}
