using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// What a driver of a secondary MMU must stand: while its device loads and stores, something happens to the pages, on a machine for each
/// thing that can (<see cref="DriverMachine"/>). A subclass gives the driver; see docs/drivers.md.
/// </summary>
/// <remarks>
/// Checked are: the device reaches no freed page (P-life) and none that was removed or write-protected for good (P-ret), and loses no store
/// to a copy (P-copy); at the end it maps only what the process maps (P-sec); nothing sleeps where it must not; nothing waits for ever, nor
/// tries again for ever (P-progress).
/// </remarks>
public abstract class DriverScenario : Scenario
{
    /// <inheritdoc/>
    public override string Property => "P-life";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Tags => ["notifier", "device"];

    /// <summary>The fix must pass, and the bug be found; of a driver that has one version only nothing is expected.</summary>
    public override Verdict? Expect(Variant variant, MemoryModelKind model) => Variants.Count == 1 ? null : base.Expect(variant, model);

    /// <inheritdoc/>
    public override IReadOnlyList<ScenarioParameter> Parameters =>
    [
        new("pages", 2, 1, 3, "pages that the device uses"),
        ScenarioParameter.Each("operation", [.. DriverMachine.All.Select(machine => machine.Name)]),
    ];

    /// <inheritdoc/>
    public override string Story =>
        "A device with a page table of its own loads and stores, while the process's pages are removed, write-protected, copied or moved.";

    /// <summary>The device must map something at some end.</summary>
    public override IReadOnlyList<string> MustExerciseInAll => ["P-sec"];

    /// <summary>Makes the driver, with its notifier.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The process.</param>
    /// <param name="pages">Pages that the device uses, from the first on.</param>
    /// <param name="isBug">True for the version that is wrong.</param>
    public abstract SecondaryDriver NewDriver(KernelModel kernel, Mm mm, int pages, bool isBug);

    /// <inheritdoc/>
    public override CheckModel Build(ScenarioSetup setup)
    {
        ArgumentNullException.ThrowIfNull(setup);
        return DriverMachine.All[setup["operation"]].Build(setup, (kernel, mm, pages) => NewDriver(kernel, mm, pages, setup.IsBug));
    }
}
