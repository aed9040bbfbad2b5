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
        { "B01", "cpus=2 pages=1 site=1", 12, 24 },
        { "B01", "cpus=2 pages=1 site=2", 12, 87 },
        { "B01", "cpus=3 pages=1 site=0", 49, 2_597 },
        { "B01", "cpus=2 pages=2 site=0", 18, 210 },
        { "B01", "cpus=2 pages=2 site=1", 28, 89 },
        { "B01", "cpus=2 pages=2 site=2", 34, 468 },
        { "B02", "cpus=3 pages=1", 64, 94_732 },
        { "B06", "cpus=3 pages=1", 85, 933 },
        { "B06", "cpus=4 pages=1", 89, 14_670 },
        { "B06", "cpus=3 pages=2", 128, 15_265 },
        { "B07", "cpus=2 pages=1 file=0", 11, 27 },
        { "B07", "cpus=3 pages=1 file=0", 59, 300 },
        { "B07", "cpus=2 pages=2 file=0", 42, 111 },
        { "B07", "cpus=2 pages=1 file=1", 14, 35 },
        { "B07", "cpus=3 pages=1 file=1", 94, 1_038 },
        { "B07", "cpus=2 pages=2 file=1", 56, 241 },
        { "B11", "cpus=3 pages=1", 24, 715 },
        { "B11", "cpus=4 pages=1", 35, 8_889 },
        { "B11", "cpus=3 pages=2", 31, 1_892 },
        { "B05", "cpus=3 pages=1", 101, 2_783 },
        { "B05", "cpus=3 pages=2", 178, 46_046 },
        { "B08", "cpus=3 pages=1", 452, 281 },
        { "B08", "cpus=3 pages=2", 3_176, 2_060 },
        { "mremap-table-rmap-locks", "cpus=3 pages=1 mistake=0", 2_045, 387 },
        { "B10", "cpus=2 pages=1", 26, 150 },
        { "B10", "cpus=3 pages=1", 65, 8_172 },
        { "B10", "cpus=2 pages=2", 772, 674 },
        { "B12", "cpus=2 pages=1", 13, 35 },
        { "B12", "cpus=3 pages=1", 142, 734 },
        { "B12", "cpus=2 pages=2", 29, 128 },
        { "B13", "cpus=3 pages=1 start=0", 182, 13_255 },
        { "B15", "cpus=2 pages=1", 43, 180 },
        { "B15", "cpus=3 pages=1", 95, 1_627 },
        { "B17", "cpus=2 pages=1", 20, 22 },
        { "B17", "cpus=3 pages=1", 39, 230 },
        { "B17", "cpus=2 pages=2", 37, 81 },
        { "B19", "cpus=2 pages=1", 89, 146 },
        { "B19", "cpus=3 pages=1", 446, 595 },
        { "B19", "cpus=2 pages=2", 101, 164 },
        { "B20", "cpus=2 pages=1", 52, 87 },
        { "B20", "cpus=3 pages=1", 507, 870 },
        { "B20", "cpus=2 pages=2", 111, 218 },
        { "B51", "cpus=3 pages=1", 46, 933 },
        { "B51", "cpus=4 pages=1", 92, 14_670 },
        { "B51", "cpus=3 pages=2", 88, 15_265 },
        { "S01", "cpus=3 pages=1", 32, 131 },
        { "S01", "cpus=4 pages=1", 57, 12_515 },
        { "S01", "cpus=3 pages=2", 36, 330 },
        { "S04", "cpus=2 pages=2", 255, 576 },
        { "S04", "cpus=3 pages=2", 42_469, 123_202 },
        { "S04", "cpus=2 pages=3", 279, 760 },
        { "S05", "cpus=2 pages=1", 375, 455 },
        { "S05", "cpus=2 pages=2", 420, 509 },
        { "S06", "cpus=2 pages=1", 7, 58 },
        { "S06", "cpus=3 pages=1", 2_640, 2_690 },
        { "S06", "cpus=2 pages=2", 178, 260 },
        { "ksm-drops-uffd-wp", "cpus=2", 11, 51 },
        { "ksm-drops-uffd-wp", "cpus=3", 69, 3_536 },
        { "ksm-drops-soft-dirty", "cpus=2", 12, 64 },
        { "ksm-drops-soft-dirty", "cpus=3", 31, 2_910 },
        { "clear-refs-migration", "cpus=2 pages=1", 42, 67 },
        { "clear-refs-migration", "cpus=3 pages=1", 993, 1_398 },
        { "clear-refs-migration", "cpus=2 pages=2", 117, 332 },
    };

    /// <summary>Those that take long enough to be run only once.</summary>
    public static TheoryData<string, string, long, long> LargePairs => new()
    {
        { "B02", "cpus=3 pages=2", 74, 744_424 },
        { "B05", "cpus=4 pages=1", 291, 107_879 },
        { "B08", "cpus=4 pages=1", 6_712, 2_679 },
        { "B13", "cpus=4 pages=1 start=1", 627, 163_883 },
        { "B13", "cpus=3 pages=2 start=0", 2_954, 231_992 },
        { "S05", "cpus=3 pages=1", 60_218, 131_584 },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    [MemberData(nameof(FlushPairs.Pairs), MemberType = typeof(FlushPairs))]
    [MemberData(nameof(PinPairs.Pairs), MemberType = typeof(PinPairs))]
    [MemberData(nameof(DevicePairs.Pairs), MemberType = typeof(DevicePairs))]
    [MemberData(nameof(AtomicPairs.Pairs), MemberType = typeof(AtomicPairs))]
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
    [MemberData(nameof(PinPairs.Pairs), MemberType = typeof(PinPairs))]
    [MemberData(nameof(DevicePairs.Pairs), MemberType = typeof(DevicePairs))]
    [MemberData(nameof(AtomicPairs.Pairs), MemberType = typeof(AtomicPairs))]
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

    private static Scenario Find(string number) => ScenarioList.All.Single(candidate => candidate.Number == number || candidate.Id == number);

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
