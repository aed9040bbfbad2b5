using System.Globalization;
using Shootdown.Catalogue;
using Shootdown.Check;

namespace Shootdown.Tests.Designs;

/// <summary>
/// Scenarios of designs whose variants violate different properties: each bug is found and replays, each fix passes exhaustively, at the
/// catalogue's size and larger. The state counts are exact.
/// </summary>
public sealed class DesignScenarioTests
{
    /// <summary>Scenario, bounds, property, states until the bug is found, states of the fix.</summary>
    public static TheoryData<string, string, string, long, long> Pairs => new()
    {
        { "B23", "", "P-life", 25, 110 },
        { "B23", "pages=2", "P-life", 61, 543 },
        { "B23", "cpus=3", "P-life", 65, 3_628 },
        { "B23", "mistake=1", "P-life", 16, 48 },
        { "B23", "mistake=2", "P-life", 40, 48 },
        { "B23", "mistake=2 cpus=3", "P-life", 125, 384 },
        { "B50", "hazard=1", "P-ret", 34, 504 },
        { "B50", "hazard=1 pages=2", "P-ret", 66, 4_859 },
        { "B50", "hazard=2 cpus=2", "assert", 14, 20 },
        { "B50", "hazard=2", "assert", 66, 223 },
        { "B50", "hazard=3 cpus=2", "P-life", 14, 47 },
        { "B50", "hazard=3", "P-life", 39, 401 },
        { "B50", "hazard=4 cpus=2", "assert", 25, 19 },
        { "B50", "hazard=4", "assert", 53, 172 },
        { "flush-ring-mistakes", "mistake=1", "P-ret", 354, 785 },
        { "flush-ring-mistakes", "mistake=1 pages=4", "P-ret", 2_185, 2_800 },
        { "flush-ring-mistakes", "mistake=2", "P-ret", 347, 692 },
        { "flush-ring-mistakes", "mistake=3", "P-ret", 348, 3_107 },
        { "flush-ring-mistakes", "mistake=4", "P-ret", 375, 785 },
        { "flush-ring-mistakes", "mistake=5", "P-ret", 353, 692 },
        { "flush-ring-mistakes", "mistake=6", "P-ret", 384, 692 },
        { "flush-ring-mistakes", "mistake=6 pages=4", "P-ret", 54, 2_480 },
        { "flush-ring-mistakes", "mistake=7", "P-ret", 50, 692 },
        { "flush-ring-tables", "mistake=0", "P-life", 49, 49 },
        { "flush-ring-tables", "mistake=0 pages=2", "P-life", 55, 55 },
        { "flush-ring-tables", "mistake=1", "P-life", 66, 71 },
        { "flush-ring-tables", "mistake=1 pages=2", "P-life", 83, 81 },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Bug_is_found_and_fix_passes(string scenario, string bounds, string property, long bugStates, long fixStates)
    {
        CheckReport bug = Run(scenario, Variant.Bug, bounds);
        Assert.Equal((Verdict.Violation, property), (bug.Verdict, bug.Counterexample?.PropertyId));
        CheckReport replayed = Run(scenario, Variant.Bug, bounds, bug.Counterexample!.Schedule);
        Assert.Equal((Verdict.Violation, bug.Counterexample.Sentence), (replayed.Verdict, replayed.Counterexample!.Sentence));
        CheckReport fix = Run(scenario, Variant.Fix, bounds);
        Assert.Equal((Verdict.Pass, string.Empty), (fix.Verdict, fix.Reason));
        Assert.Equal((bugStates, fixStates), (bug.Stats.States, fix.Stats.States));
    }

    /// <summary>The first batch shape is harmless: who noted CPUs before the global ASID was given loses nothing; the second is not.</summary>
    [Fact]
    public void Global_ASID_that_is_given_meanwhile_is_safe_in_the_fix()
        => Assert.Equal(Verdict.Pass, Run("B23", Variant.Fix, "cpus=3 pages=2 start=1").Verdict);

    private static CheckReport Run(string id, Variant variant, string bounds, string? schedule = null)
    {
        Scenario scenario = ScenarioList.Find(id)!;
        (string, int)[] values = [.. bounds.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(bound => bound.Split('='))
            .Select(parts => (parts[0], int.Parse(parts[1], CultureInfo.InvariantCulture)))];
        ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, variant, scenario.Model, values);
        return ScenarioCheck.Run(scenario, setup, new CheckOptions { Workers = 1, Schedule = schedule });
    }
}
