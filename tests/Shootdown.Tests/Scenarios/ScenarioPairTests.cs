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
    /// <summary>Scenario, bounds, states until the bug is found, states of the fix.</summary>
    public static TheoryData<string, string, long, long> Pairs => new()
    {
        { "B01", "cpus=2 pages=1 site=0", 8, 47 },
        { "B01", "cpus=2 pages=1 site=1", 10, 14 },
        { "B01", "cpus=2 pages=1 site=2", 10, 58 },
        { "B01", "cpus=3 pages=1 site=0", 47, 2_453 },
        { "B01", "cpus=2 pages=2 site=0", 18, 210 },
        { "B01", "cpus=2 pages=2 site=1", 20, 50 },
        { "B01", "cpus=2 pages=2 site=2", 28, 278 },
        { "B02", "cpus=3 pages=1", 36, 94_732 },
        { "B15", "cpus=2 pages=1", 43, 180 },
        { "B15", "cpus=3 pages=1", 95, 1_591 },
        { "B17", "cpus=2 pages=1", 10, 17 },
        { "B17", "cpus=3 pages=1", 31, 198 },
        { "B17", "cpus=2 pages=2", 28, 59 },
        { "B19", "cpus=2 pages=1", 73, 146 },
        { "B19", "cpus=3 pages=1", 400, 595 },
        { "B19", "cpus=2 pages=2", 85, 164 },
        { "B20", "cpus=2 pages=1", 52, 87 },
        { "B20", "cpus=3 pages=1", 507, 870 },
        { "B20", "cpus=2 pages=2", 111, 218 },
    };

    /// <summary>The one that takes long enough to be run only once.</summary>
    public static TheoryData<string, string, long, long> LargePairs => new()
    {
        { "B02", "cpus=3 pages=2", 74, 744_424 },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    [MemberData(nameof(FlushPairs.Pairs), MemberType = typeof(FlushPairs))]
    [MemberData(nameof(LargePairs))]
    public void Bug_is_found_and_fix_passes(string number, string bounds, long bugStates, long fixStates)
    {
        CheckReport bug = Run(number, Variant.Bug, bounds);
        Assert.Equal(Verdict.Violation, bug.Verdict);
        Assert.Equal(Find(number).Property, bug.Counterexample!.PropertyId);
        CheckReport replayed = Run(number, Variant.Bug, bounds, bug.Counterexample.Schedule);
        Assert.Equal((Verdict.Violation, bug.Counterexample.Sentence), (replayed.Verdict, replayed.Counterexample!.Sentence));

        CheckReport fix = Run(number, Variant.Fix, bounds);
        Assert.Equal((Verdict.Pass, string.Empty), (fix.Verdict, fix.Reason));
        Assert.True(fix.Stats.Exhaustive);
        Assert.Equal((bugStates, fixStates), (bug.Stats.States, fix.Stats.States));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    [MemberData(nameof(FlushPairs.Pairs), MemberType = typeof(FlushPairs))]
    public void All_workers_see_the_same_states_of_the_fix(string number, string bounds, long bugStates, long fixStates)
    {
        _ = bugStates;
        CheckReport fix = Run(number, Variant.Fix, bounds, workers: 4);
        Assert.Equal((Verdict.Pass, fixStates), (fix.Verdict, fix.Stats.States));
    }

    /// <summary>B15 needs store buffers: under sc the buggy code is clean.</summary>
    [Fact]
    public void Switch_mm_flush_barrier_is_clean_under_sc()
        => Assert.Equal(Verdict.Pass, Run("B15", Variant.Bug, "cpus=2 pages=1", model: MemoryModelKind.Sc).Verdict);

    private static Scenario Find(string number) => ScenarioList.All.Single(candidate => candidate.Number == number);

    private static CheckReport Run(
        string number, Variant variant, string bounds, string? schedule = null, int workers = 1, MemoryModelKind? model = null)
    {
        Scenario scenario = Find(number);
        var values = scenario.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Default);
        foreach (string bound in bounds.Split(' '))
        {
            string[] parts = bound.Split('=');
            values[parts[0]] = int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture);
        }

        var setup = new ScenarioSetup(variant, model ?? scenario.Model, TlbKind.Lagging, values);
        return ScenarioCheck.Run(scenario, setup, new CheckOptions { Workers = workers, Schedule = schedule });
    }
}
