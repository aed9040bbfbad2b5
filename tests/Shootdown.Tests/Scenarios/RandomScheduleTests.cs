using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Scenarios;

/// <summary>
/// Random schedules find the bugs of the catalogue, and nothing in the fixes; they never pass, and do not depend on the number of threads.
/// </summary>
public sealed class RandomScheduleTests
{
    /// <summary>Bugs that no single run shows (livelocks), or that one in tens of thousands of runs does.</summary>
    private static readonly string[] NotFound = ["arm64-ttu-vs-asid-read", "notifier-unpaired-end", "contpte-partial-reads"];

    public static TheoryData<string> Scenarios => [.. ScenarioList.All.Where(scenario => scenario.Tags.All(tag => tag != "peer")).Select(scenario => scenario.Id)];

    [Theory]
    [MemberData(nameof(Scenarios))]
    public void Random_schedules_find_the_bug_and_do_not_accuse_the_fix(string id)
    {
        Scenario scenario = Find(id);
        if (scenario.Variants.Contains(Variant.Bug) && scenario.Expect(Variant.Bug, scenario.Model) == Verdict.Violation)
        {
            CheckReport bug = Run(scenario, Variant.Bug, 20_000);
            Assert.Equal(NotFound.Contains(id) ? Verdict.Inconclusive : Verdict.Violation, bug.Verdict);
        }

        if (scenario.Variants.Contains(Variant.Fix) && scenario.Expect(Variant.Fix, scenario.Model) == Verdict.Pass)
        {
            CheckReport fix = Run(scenario, Variant.Fix, 100);
            Assert.Equal((Verdict.Inconclusive, 100L, false), (fix.Verdict, fix.Stats.RandomRuns, fix.Stats.Exhaustive));
            Assert.Contains("proves nothing", fix.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_first_run_that_violates_is_told_whatever_the_number_of_threads()
    {
        Scenario scenario = Find("numa-protnone-migration");
        CheckReport[] reports = [.. new[] { 1, 2, 8 }.Select(workers => Run(scenario, Variant.Bug, 5_000, workers, minimises: false))];
        Assert.All(reports, report => Assert.Equal(reports[0].Counterexample!.Schedule, report.Counterexample!.Schedule));
        CheckReport other = Run(scenario, Variant.Bug, 5_000, 1, minimises: false, seed: 2);
        Assert.NotEqual(reports[0].Counterexample!.Schedule, other.Counterexample!.Schedule);
    }

    [Fact]
    public void A_bug_is_found_at_a_size_that_takes_long_to_explore()
    {
        Scenario scenario = Find("madv-dontneed-parallel");
        CheckReport report = Run(scenario, Variant.Bug, 5_000, bounds: [("cpus", 5), ("pages", 4)]);
        Assert.Equal((Verdict.Violation, "P-ret"), (report.Verdict, report.Counterexample?.PropertyId));
    }

    private static Scenario Find(string id) => ScenarioList.All.Single(scenario => scenario.Id == id);

    private static CheckReport Run(
        Scenario scenario, Variant variant, long runs, int workers = 1, bool minimises = true, ulong seed = 1, params (string Name, int Value)[] bounds)
    {
        var values = scenario.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Default);
        foreach ((string name, int value) in bounds)
        {
            values[name] = value;
        }

        var options = new CheckOptions
        {
            RandomRuns = runs,
            RandomSeed = seed,
            Workers = workers,
            MinimiserStatesMax = minimises ? 20_000 : 0,
        };
        return ScenarioCheck.Run(scenario, new ScenarioSetup(variant, scenario.Model, TlbKind.Lagging, values), options);
    }
}
