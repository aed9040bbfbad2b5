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

    /// <summary>
    /// With the bug, too: the states behind a violation, which the search never sees, obey the symmetry as the others do.
    /// </summary>
    [Theory]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    public void TheFingerprintsOfTheBugAreThoseOfItsOrbits(int cpus, int pages)
    {
        CheckModel model = Build(Variant.Bug, cpus, pages);
        var all = new ReachableStates(model);
        var symmetry = new MachineSymmetry(model.Machine, model.Symmetry!);
        int[] orbits = all.Orbits(symmetry);

        Assert.True(all.Violates);
        Assert.Equal(orbits.Distinct().Count(), all.CanonicalFingerprints(symmetry).Distinct().Count());
        Assert.Equal(orbits.Distinct().Count(), all.CanonicalFingerprints(symmetry).Zip(orbits).Distinct().Count());
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 1)]
    [InlineData(3, 2)]
    [InlineData(4, 2)]
    public void TheVerdictsAreThoseWithoutSymmetry(int cpus, int pages)
    {
        Assert.Null(Explore(Variant.Fix, cpus, pages, symmetry: true).Violation);
        Assert.Null(Explore(Variant.Fix, cpus, pages, symmetry: false).Violation);
        Assert.Equal("P-ret", Explore(Variant.Bug, cpus, pages, symmetry: true).Violation?.PropertyId);
        Assert.Equal("P-ret", Explore(Variant.Bug, cpus, pages, symmetry: false).Violation?.PropertyId);
    }

    /// <summary>The search goes on from real states: what it finds is a run of the machine as it is.</summary>
    [Fact]
    public void CounterexamplesReplay()
    {
        ExplorationResult found = Explore(Variant.Bug, 4, 3, symmetry: true);
        Violation? replayed = Replayer.Run(Build(Variant.Bug, 4, 3), found.Path);
        Assert.Equal(found.Violation, replayed);
    }

    [Fact]
    public void TwoWorkersFindTheSameStates()
    {
        ExplorationResult one = Explorer.Explore(Build(Variant.Fix, 4, 2), new CheckOptions { Workers = 1 });
        ExplorationResult two = Explorer.Explore(Build(Variant.Fix, 4, 2), new CheckOptions { Workers = 2 });
        Assert.Equal(one.States, two.States);
        Assert.Equal(one.Transitions, two.Transitions);
    }

    /// <summary>
    /// Random programs: the same verdict with and without, counterexamples that replay, and fingerprints that merge
    /// nothing but images. Several cross-calls under way at the same time relate CPUs with each other in ways
    /// that the order of CPUs need not resolve: there a few orbits may be visited more than once, never less.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(200)]
    [InlineData(300)]
    public void RandomSymmetricProgramsKeepTheirVerdicts(int firstSeed)
    {
        int compared = 0;
        int violations = 0;
        int counted = 0;
        int exact = 0;
        int merged = 0;
        for (int seed = firstSeed; seed < firstSeed + 100; seed++)
        {
            var program = new SymmetricProgram(seed);
            ExplorationResult full = Explorer.Explore(
                program.Build(), new CheckOptions { Workers = 1, Symmetry = false, Reduction = false, MemoryBytes = 1 << 20 });
            if (full.Incomplete is not null)
            {
                continue;
            }

            compared++;
            violations += full.Violation is null ? 0 : 1;
            ExplorationResult symmetric = Explorer.Explore(program.Build(), new CheckOptions { Workers = 1 + (seed % 2) });
            Assert.True((full.Violation is null) == (symmetric.Violation is null), $"{program}: {full.Violation} against {symmetric.Violation}");
            if (symmetric.Violation is { } violation)
            {
                Assert.True(
                    Replayer.Run(program.Build(), symmetric.Path)?.PropertyId == violation.PropertyId, $"{program}: the counterexample does not replay");
            }

            if (full.States < 1500)
            {
                (int orbits, int classes, int states) = CheckFingerprints(program, symmetric);
                counted++;
                exact += orbits == classes ? 1 : 0;
                merged += states > orbits ? 1 : 0;
            }
        }

        Assert.True(compared > 80 && violations > 0, $"{compared} programs were small enough to compare, {violations} have a violation");
        Assert.True(counted > 60, $"the orbits of {counted} programs were counted");
        Assert.True(exact >= 0.95 * counted, $"{exact} of {counted} programs have as many fingerprints as orbits");
        Assert.True(merged > 0.7 * counted, $"symmetry merges states of {merged} of {counted} programs");
    }

    /// <summary>Numbers of orbits, of fingerprints and of states.</summary>
    private static (int Orbits, int Classes, int States) CheckFingerprints(SymmetricProgram program, ExplorationResult symmetric)
    {
        CheckModel model = program.Build();
        var all = new ReachableStates(model);
        var symmetry = new MachineSymmetry(model.Machine, model.Symmetry!);
        int[] orbits = all.Orbits(symmetry);
        (ulong, ulong)[] canonical = all.CanonicalFingerprints(symmetry);
        bool merges = canonical.Zip(orbits).GroupBy(pair => pair.First).Any(same => same.Select(pair => pair.Second).Distinct().Count() > 1);
        Assert.False(merges, $"{program}: states that are no images of each other have one fingerprint");
        int classes = canonical.Distinct().Count();
        int least = orbits.Distinct().Count();
        if (symmetric.Violation is null)
        {
            Assert.True(symmetric.States >= least && symmetric.States <= classes,
                $"{program}: {symmetric.States} states visited, {least} orbits, {classes} fingerprints");
        }

        return (least, classes, all.Count);
    }

    private static CheckModel Build(Variant variant, int cpus, int pages)
        => Scenario.Build(ScenarioDefaults.SetupOf(Scenario, variant, MemoryModelKind.Sc, ("cpus", cpus), ("pages", pages)));

    private static ExplorationResult Explore(Variant variant, int cpus, int pages, bool symmetry) => Explorer.Explore(
        Build(variant, cpus, pages), new CheckOptions { Workers = 1, Reduction = false, Symmetry = symmetry });
}
