using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Scenarios;

/// <summary>
/// Every scenario is a pair: the bug is found and replays, the fix passes exhaustively with its property judged; at the catalogue's
/// size and at one larger. The state counts are exact: a change of one is a change of what is explored, and must be explained.
/// </summary>
public sealed class ScenarioPairTests
{
    public static TheoryData<string, int, int, long, long> Pairs => new()
    {
        // id, cpus, pages, states until the bug is found, states of the fix
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Bug_is_found_and_fix_passes(string id, int cpus, int pages, long bugStates, long fixStates)
    {
        CheckReport bug = Run(id, Variant.Bug, cpus, pages);
        Assert.Equal(Verdict.Violation, bug.Verdict);
        Scenario scenario = ScenarioList.All.Single(candidate => candidate.Id == id);
        Assert.Equal(scenario.Property, bug.Counterexample!.PropertyId);
        Assert.Equal(bug.Counterexample.Schedule, Run(id, Variant.Bug, cpus, pages, bug.Counterexample.Schedule).Counterexample!.Schedule);

        CheckReport fix = Run(id, Variant.Fix, cpus, pages);
        Assert.Equal(Verdict.Pass, fix.Verdict);
        Assert.True(fix.Stats.Exhaustive);
        Assert.All(fix.Coverage, coverage => Assert.True(coverage.TimesExercised > 0, $"{coverage.PropertyId} judged nothing"));
        Assert.Equal((bugStates, fixStates), (bug.Stats.States, fix.Stats.States));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void All_workers_see_the_same_states_of_the_fix(string id, int cpus, int pages, long bugStates, long fixStates)
    {
        _ = bugStates;
        CheckReport fix = Run(id, Variant.Fix, cpus, pages, workers: 4);
        Assert.Equal((Verdict.Pass, fixStates), (fix.Verdict, fix.Stats.States));
    }

    /// <summary>B15 needs store buffers: under sc the buggy code is clean.</summary>
    [Fact]
    public void Switch_mm_flush_barrier_is_clean_under_sc()
    {
        Scenario scenario = ScenarioList.All.Single(candidate => candidate.Number == "B15");
        CheckReport bug = ScenarioCheck.Run(
            scenario, Setup(scenario, Variant.Bug, scenario.Parameters[0].Default, scenario.Parameters[1].Default, MemoryModelKind.Sc), new CheckOptions { Workers = 1 });
        Assert.Equal(Verdict.Pass, bug.Verdict);
    }

    private static CheckReport Run(string id, Variant variant, int cpus, int pages, string? schedule = null, int workers = 1)
    {
        Scenario scenario = ScenarioList.All.Single(candidate => candidate.Id == id);
        return ScenarioCheck.Run(
            scenario, Setup(scenario, variant, cpus, pages, scenario.Model), new CheckOptions { Workers = workers, Schedule = schedule });
    }

    private static ScenarioSetup Setup(Scenario scenario, Variant variant, int cpus, int pages, MemoryModelKind model)
    {
        var values = scenario.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Default);
        values["cpus"] = cpus;
        values["pages"] = pages;
        return new ScenarioSetup(variant, model, TlbKind.Lagging, values);
    }
}
