using Shootdown.Check;

namespace Shootdown.Tests.Kernel;

/// <summary>
/// The counters of batched unmaps start again before pending can come to equal flushed; counters of two or three bits
/// get there in a few requests.
/// </summary>
public sealed class BatchCounterTests
{
    [Theory]
    [InlineData(2, 9)]
    [InlineData(3, 12)]
    public void Word_says_what_is_owed_after_every_sequence(int bits, int length)
    {
        Assert.Equal(Verdict.Pass, Check(() => BatchCounterModel.Sequences(bits, length, restarts: true)).Verdict);
        CheckReport broken = Check(() => BatchCounterModel.Sequences(bits, length, restarts: false));
        Assert.Equal((Verdict.Violation, "assert"), (broken.Verdict, broken.Counterexample!.PropertyId));
    }

    [Theory]
    [InlineData(1, 4)]
    [InlineData(2, 2)]
    public void No_flush_is_lost_when_counters_restart(int reclaimers, int pagesEach)
    {
        CheckReport report = Check(() => BatchCounterModel.Reclaimers(2, reclaimers, pagesEach, restarts: true));
        Assert.Equal((Verdict.Pass, string.Empty), (report.Verdict, report.Reason));
        CheckReport broken = Check(() => BatchCounterModel.Reclaimers(2, reclaimers, pagesEach, restarts: false));
        Assert.Equal((Verdict.Violation, "P-ret"), (broken.Verdict, broken.Counterexample!.PropertyId));
    }

    private static CheckReport Check(Func<CheckModel> build)
        => Checker.Check(new CheckSubject("batch-counters", "", "", "fix", null, []), build, new CheckOptions());
}
