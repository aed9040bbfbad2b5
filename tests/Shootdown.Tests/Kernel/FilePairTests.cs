using Shootdown.Check;

namespace Shootdown.Tests.Kernel;

/// <summary>
/// The core is the correct kernel for files too: every two operations on a shared file satisfy all properties, and no store
/// is lost.
/// </summary>
public sealed class FilePairTests
{
    /// <summary>What differs between the kernels and machines that all pairs are run on.</summary>
    public static TheoryData<string> Builds =>
    [
        "levels=1 pages=1 model=sc",
        "levels=1 pages=1 model=sc uncached",
        "levels=1 pages=2 model=sc small-gather",
        "levels=1 pages=1 model=x86-tso",
        "levels=2 pages=1 model=sc",
    ];

    [Theory]
    [MemberData(nameof(Builds))]
    public void Every_pair_of_operations_on_a_file_is_correct(string build)
    {
        for (int first = 0; first < FileOperations.All.Length; first++)
        {
            for (int second = first; second < FileOperations.All.Length; second++)
            {
                string[] pair = [FileOperations.All[first], FileOperations.All[second]];
                var subject = new CheckSubject(string.Join(" + ", pair), string.Empty, build, "fix", Verdict.Pass, []);
                CheckReport report = Checker.Check(subject, () => FileOperations.Build(pair, build), new CheckOptions());
                string found = report.Counterexample is { } run ? $"{run.PropertyId}: {run.Sentence}" : report.Reason;
                Assert.True(report.Verdict == Verdict.Pass, $"{report.ScenarioId} on {build}: {report.Verdict}; {found}");
            }
        }
    }
}
