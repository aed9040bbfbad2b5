using Shootdown.Catalogue;
using Shootdown.Check;

namespace Shootdown.Tests.Notifiers;

/// <summary>What the items of seed 004 about notifiers answer.</summary>
public sealed class NotifierSeedTests
{
    /// <summary>Item and answer.</summary>
    public static TheoryData<string, string> Answers => new()
    {
        {
            "S004-03",
            "one invalidate_page() leaves the other small entries (P-life); "
                + "start/end, one call for each, or invalidate_hugepage() are clean"
        },
        {
            "S004-04",
            "start/end with a sleeping driver violates P-atomic under the spinlock and is clean with sleeping locks; "
                + "invalidate_hugepage is clean if it never sleeps"
        },
        {
            "S004-09",
            "a reference is enough if it is taken under the spinlock; "
                + "the spinlock alone sleeps in atomic context, and nothing frees too early"
        },
        {
            "S004-10",
            "clean; each of the read section, the two waits and the order release-then-unlink is needed; "
                + "under RCU a callback may not sleep"
        },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public void Item_is_answered(string id, string answer)
    {
        SeedReport report = SeedBatch.Run(SeedList.Find(id), new CheckOptions { Workers = 2, MinimiserStatesMax = 1_000 }).Single();
        Assert.Equal((SeedVerdict.Holds, answer), (report.Answer.Verdict, report.Answer.Text));
        Assert.InRange(report.Answer.Text.Length, 1, 160);
        Assert.True(report.AsExpected);
    }

    [Fact]
    public void Only_start_and_end_lets_a_driver_sleep()
    {
        SeedReport report = SeedBatch.Run(SeedList.Find("S004-04"), new CheckOptions { Workers = 2, MinimiserStatesMax = 1_000 }).Single();
        Assert.Equal(
            [
                "invalidate_page for each: safe P-atomic safe P-atomic 2 3 512",
                "start/end: safe P-atomic safe safe 2 2 2",
                "invalidate_hugepage: safe P-atomic safe P-atomic 1 1 1",
            ],
            report.Answer.Tables[0].Rows.Select(row => $"{row[0]}: {string.Join(' ', row.Skip(1))}"));
    }
}
