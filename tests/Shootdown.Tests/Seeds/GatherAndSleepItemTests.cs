using Shootdown.Catalogue;
using Shootdown.Check;

namespace Shootdown.Tests.Seeds;

/// <summary>What the runs answer to the mails about flags of gathers (003) and sleeping notifiers (004).</summary>
public sealed class GatherAndSleepItemTests
{
    [Theory]
    [InlineData("S003-01", SeedVerdict.Holds)]
    [InlineData("S003-02", SeedVerdict.Holds)]
    [InlineData("S003-03", SeedVerdict.Depends)]
    [InlineData("S003-04", SeedVerdict.Holds)]
    [InlineData("S003-05", SeedVerdict.Depends)]
    [InlineData("S003-06", SeedVerdict.Holds)]
    [InlineData("S003-07", SeedVerdict.Holds)]
    [InlineData("S003-08", SeedVerdict.Depends)]
    [InlineData("S003-09", SeedVerdict.Holds)]
    [InlineData("S003-10", SeedVerdict.Holds)]
    [InlineData("S004-01", SeedVerdict.Refuted)]
    [InlineData("S004-02", SeedVerdict.Depends)]
    [InlineData("S004-05", SeedVerdict.Holds)]
    [InlineData("S004-07", SeedVerdict.Holds)]
    [InlineData("S004-08", SeedVerdict.Holds)]
    [InlineData("S004-09", SeedVerdict.Holds)]
    [InlineData("S004-10", SeedVerdict.Holds)]
    public void The_runs_give_the_verdict(string id, SeedVerdict verdict)
    {
        SeedReport report = Assert.Single(SeedBatch.Run(SeedList.Find(id), new CheckOptions()));
        Assert.Equal((verdict, true), (report.Answer.Verdict, report.Answer.Text.Length <= 160));
    }

    /// <summary>The table frees with the flags of the last area, of the first, of all: each of the first two fails on one order.</summary>
    [Fact]
    public void No_single_area_has_the_right_flags()
    {
        SeedReport report = Assert.Single(SeedBatch.Run(SeedList.Find("S003-09"), new CheckOptions()));
        Assert.Equal(
            [["last", "P-life", "safe"], ["first", "safe", "P-life"], ["all", "safe", "safe"]],
            Assert.Single(report.Answer.Tables).Rows);
    }
}
