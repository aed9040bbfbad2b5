using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Symmetry;

public sealed class SymmetryTests
{
    private static readonly TlbDefer Scenario = new();

    /// <summary>
    /// The fingerprint up to symmetry is the same for all images of a state (no reduction is lost) and differs for
    /// states that are no images of each other (nothing is merged). The search visits each class once.
    /// </summary>
    [Theory]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    [InlineData(4, 1)]
    public void TheSearchVisitsEveryOrbitOnce(int cpus, int pages)
    {
        CheckModel model = Build(Variant.Fix, cpus, pages);
        var all = new ReachableStates(model);
        var symmetry = new MachineSymmetry(model.Machine, model.Symmetry!);
        int[] orbits = all.Orbits(symmetry);
        (ulong, ulong)[] canonical = all.CanonicalFingerprints(symmetry);
        symmetry.CheckPrograms();

        Assert.False(all.Violates);
        Assert.All(
            canonical.Zip(orbits).GroupBy(pair => pair.First),
            same => Assert.Single(same.Select(pair => pair.Second).Distinct()));
        Assert.Equal(orbits.Distinct().Count(), canonical.Distinct().Count());

        Assert.Equal(orbits.Distinct().Count(), Explore(Variant.Fix, cpus, pages, symmetry: true).States);
        Assert.Equal(all.Count, Explore(Variant.Fix, cpus, pages, symmetry: false).States);
    }

    private static CheckModel Build(Variant variant, int cpus, int pages)
        => Scenario.Build(ScenarioDefaults.SetupOf(Scenario, variant, MemoryModelKind.Sc, ("cpus", cpus), ("pages", pages)));

    private static ExplorationResult Explore(Variant variant, int cpus, int pages, bool symmetry) => Explorer.Explore(
        Build(variant, cpus, pages), new CheckOptions { Workers = 1, Reduction = false, Symmetry = symmetry });
}
