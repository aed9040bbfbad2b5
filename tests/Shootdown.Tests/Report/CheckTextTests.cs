using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Tests.Report;

public sealed class CheckTextTests
{
    private static readonly Dictionary<string, Func<CheckReport>> All = new()
    {
        ["violation"] = () => SampleReports.Violation(),
        ["pass"] = SampleReports.Pass,
        ["fix-that-fails"] = SampleReports.FixThatFails,
        ["missed-bug"] = SampleReports.MissedBug,
        ["inconclusive"] = SampleReports.Inconclusive,
        ["never-exercised"] = SampleReports.NeverExercised,
        ["replay"] = SampleReports.Replay,
        ["harmless-replay"] = SampleReports.HarmlessReplay,
        ["unsupported"] = SampleReports.Unsupported,
    };

    public static TheoryData<string> Names => [.. All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Result(string name)
    {
        CheckReport report = All[name]();
        CheckInvocation invocation = SampleReports.Bug with { Variant = report.Variant, IsReplay = name.Contains("replay", StringComparison.Ordinal) };
        string text = Write(report, invocation, CheckDetail.Diagram);
        GoldenFile.Matches($"results/{name}.txt", text);
        Assert.All(text.Split('\n'), line => Assert.True(line.Length <= Paragraph.MailWidth, line));
    }

    [Fact]
    public void Result_with_full_trace()
        => GoldenFile.Matches(
            "results/full-trace.txt",
            Write(SampleReports.Violation(SampleRuns.TwoColumns()), SampleReports.Bug, CheckDetail.FullTrace));

    [Fact]
    public void Result_in_one_line()
        => Assert.Equal("PASS  madv-dontneed-parallel (fix)  P-ret, P-life\n", Write(SampleReports.Pass(), SampleReports.Fix, CheckDetail.VerdictOnly));

    [Fact]
    public void Surprises_show_in_one_line_too()
        => Assert.Contains("UNEXPECTED", Write(SampleReports.MissedBug(), SampleReports.Bug, CheckDetail.VerdictOnly), StringComparison.Ordinal);

    [Fact]
    public void Replay_names_the_bounds_that_were_changed_and_survives_a_mail()
    {
        string schedule = string.Join('.', Enumerable.Range(0, 60).Select(i => $"{i % 7}x{i + 1}"));
        Counterexample run = SampleRuns.ThreeColumns() with { Schedule = schedule };
        CheckInvocation invocation = SampleReports.Bug with { Model = "x86-tso", ChangedBounds = [new("cpus", "5"), new("zappers", "2")] };
        string text = Write(SampleReports.Violation(run), invocation, CheckDetail.Diagram);

        GoldenFile.Matches("results/long-schedule.txt", text);
        Assert.All(text.Split('\n'), line => Assert.True(line.Length <= Paragraph.MailWidth, line));
        string pasted = text[text.IndexOf("./shootdown", StringComparison.Ordinal)..].Replace("\\\n", " ", StringComparison.Ordinal);
        int open = pasted.IndexOf('\'', StringComparison.Ordinal) + 1;
        Assert.Equal(schedule, ReplayCommand.Joined(pasted[open..pasted.IndexOf('\'', open)]));
    }

    [Theory]
    [InlineData("0.1x3.2", "0.1x3.2")]
    [InlineData("0.1x3.\n      2", "0.1x3.2")]
    [InlineData("0.1x\r\n  3.2\n", "0.1x3.2")]
    [InlineData("0 1 2", "0 1 2")]
    public void Line_breaks_of_a_mail_are_taken_out_of_a_schedule(string pasted, string schedule)
        => Assert.Equal(schedule, ReplayCommand.Joined(pasted));

    [Fact]
    public void Paths_are_quoted_for_the_shell()
        => Assert.Equal(
            "./shootdown check 'my races/it'\\''s mine.cs' --variant bug --model sc --schedule '1.2'",
            new CheckInvocation("my races/it's mine.cs", "bug", "sc", []).OneLine("1.2"));

    [Fact]
    public void Summary_counts_and_names_surprises()
    {
        Assert.Equal(
            ["2 checks: 1 pass, 1 violation; all as the catalogue expects"],
            Summary.Lines([SampleReports.Violation(), SampleReports.Pass()], notRun: 0));
        Assert.Equal(
            [
                "5 checks: 1 violation, 1 inconclusive, 1 unsupported, 2 not run; 3 NOT",
                "  as the catalogue expects:",
                "  madv-dontneed-parallel (fix): violation, expected pass",
                "  madv-dontneed-parallel (fix): inconclusive, expected pass",
                "  madv-dontneed-parallel (fix): unsupported, expected pass",
            ],
            Summary.Lines([SampleReports.FixThatFails(), SampleReports.Inconclusive(), SampleReports.Unsupported()], notRun: 2));
    }

    private static string Write(CheckReport report, CheckInvocation invocation, CheckDetail detail)
    {
        using var writer = new StringWriter { NewLine = "\n" };
        CheckText.Write(report, invocation, detail, writer);
        return writer.ToString();
    }
}
