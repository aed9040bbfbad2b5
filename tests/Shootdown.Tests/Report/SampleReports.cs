using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Tests.Report;

/// <summary>One report of every kind.</summary>
internal static class SampleReports
{
    public static readonly CheckInvocation Bug = new("madv-dontneed-parallel", "bug", "sc", []);

    public static readonly CheckInvocation Fix = Bug with { Variant = "fix" };

    public static CheckReport Violation(Counterexample? run = null) => new()
    {
        ScenarioId = "madv-dontneed-parallel",
        Number = "B02",
        Title = "Two MADV_DONTNEED on one range: the second returns before the flush",
        Variant = "bug",
        Verdict = Verdict.Violation,
        Expected = Verdict.Violation,
        Model = "sc",
        Bounds = [new("cpus", "3"), new("pages", "1"), new("frames", "4"), new("walk caches", "on"), new("store buffer", "4")],
        Stats = new ExplorationStats
        {
            States = 12_345,
            Transitions = 45_678,
            Executions = 1_280,
            DepthMax = 96,
            ElapsedSeconds = 0.314,
            Exhaustive = false,
            Workers = 2,
            Reduced = true,
            TableBytes = 3_400_000,
            PeakMemoryBytes = 117_000_000,
        },
        Coverage = [new("P-ret", 128, "accesses after a promise"), new("P-life", 4_096, "accesses to frames")],
        Counterexample = run ?? SampleRuns.ThreeColumns(),
    };

    public static CheckReport Pass() => Violation() with
    {
        Variant = "fix",
        Verdict = Verdict.Pass,
        Expected = Verdict.Pass,
        Counterexample = null,
        Stats = Violation().Stats with { Exhaustive = true, ElapsedSeconds = 83.4, States = 1_234_567_890, Executions = 1 },
    };

    public static CheckReport FixThatFails() => Violation() with { Variant = "fix", Expected = Verdict.Pass };

    public static CheckReport MissedBug() => Pass() with { Variant = "bug", Expected = Verdict.Violation };

    public static CheckReport Inconclusive() => Pass() with
    {
        Verdict = Verdict.Inconclusive,
        Reason = "The table of visited states reached its bound of 512 MB before every interleaving was explored. "
            + "Give it more with --memory, or make the model smaller with --cpus 3.",
        Stats = Pass().Stats with { Exhaustive = false },
    };

    public static CheckReport NeverExercised() => Pass() with
    {
        Verdict = Verdict.Inconclusive,
        Reason = "P-ret was never exercised: no access happened after a promise, so that a clean run says nothing about it.",
        Coverage = [new("P-ret", 0, "accesses after a promise")],
    };

    public static CheckReport Replay() => Violation() with { Stats = new ExplorationStats { Transitions = 20, Workers = 1 } };

    public static CheckReport HarmlessReplay() => Replay() with
    {
        Verdict = Verdict.Inconclusive,
        Reason = "the replayed schedule reaches no violation",
        Counterexample = SampleRuns.ThreeColumns() with { PropertyId = string.Empty, Sentence = string.Empty, IsMinimal = false },
    };

    public static CheckReport Unsupported() => Pass() with
    {
        Verdict = Verdict.Unsupported,
        Reason = "MadviseDontneed keeps an object of type List<int> in a local variable across an await: "
            + "the checker cannot see changes of it. Keep the values in words of the machine.",
        Stats = new ExplorationStats(),
        Coverage = [],
    };
}
