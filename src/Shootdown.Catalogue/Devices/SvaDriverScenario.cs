using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A template for authors of drivers: give your subscriber's callbacks in <see cref="Subscribe"/>, and operations of the kernel run against
/// them beside a device that stores. See docs/devices.md.
/// </summary>
public abstract class SvaDriverScenario : Scenario
{
    private static readonly string[] Tried =
        ["madvise-dontneed", "munmap-tables", "mprotect-ro", "mremap", "reclaim-batched", "migrate", "fork", "collapse", "exit"];

    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        ScenarioParameter.Each("operation", Tried),
        new("pages", 2, 1, 2, "pages that the operation covers and the device stores to"),
    ];

    /// <summary>As for <see cref="DriverScenario.Expect"/>.</summary>
    public override Verdict? Expect(Variant variant, MemoryModelKind model) => Variants.Count == 1 ? null : base.Expect(variant, model);

    /// <inheritdoc/>
    public override string Story => "A driver's callbacks beside one operation of the kernel and a device that stores to its pages.";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "iommu", "template"];

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        MmOperation operation = OperationList.All.Single(candidate => candidate.Id == Tried[setup["operation"]]);
        var cell = new PairCell(
            [operation], setup["pages"] == 1 ? RangeRelation.Same : RangeRelation.Overlapping, PageKind.Anonymous, Bystander.Device);
        return PairModel.Build(cell, new PairSetup
        {
            Model = setup.Model,
            Tlb = setup.Tlb,
            Parts = new KernelParts { IommuSva = (kernel, mm, _, _) => Subscribe(new Stage(kernel, mm), setup.IsBug) },
        });
    }

    /// <summary>Makes the driver's subscription, for <c>stage.Machine.Devices[0]</c>.</summary>
    /// <param name="stage">The kernel and the address space.</param>
    /// <param name="isBug">True for the wrong version, if there is one (<see cref="Scenario.Variants"/>).</param>
    protected abstract IommuSva Subscribe(Stage stage, bool isBug);
}
