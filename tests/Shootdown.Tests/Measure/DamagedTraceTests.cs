using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Tests.Measure;

/// <summary>A real trace, damaged as traces get damaged: what is wrong is counted and named, and no total is silently wrong.</summary>
public sealed partial class DamagedTraceTests
{
    private static readonly Lazy<string> Trace = new(() =>
    {
        using var gzip = new GZipStream(File.OpenRead(TraceText.PathOf("multi612-mix2-40-1.trace-cmd.txt.gz")), CompressionMode.Decompress);
        return new StreamReader(gzip, Encoding.Latin1).ReadToEnd();
    });

    private static string[] Lines => Trace.Value.Split('\n');

    [Fact]
    public void A_whole_trace_has_no_problem() => Assert.Empty(Replay(Trace.Value).Problems);

    [Fact]
    public void A_hole_in_the_middle_is_found_by_the_switches()
    {
        ReplayReport report = Replay(string.Join('\n', [.. Lines[..(Lines.Length / 3)], .. Lines[(2 * Lines.Length / 3)..]]));
        Assert.Equal(TraceProblemKind.MissingEvents, Assert.Single(report.Problems).Kind);
        Assert.Contains("events are missing, all totals are too low", Text(report), StringComparison.Ordinal);
    }

    [Fact]
    public void A_recording_of_one_task_is_no_hole()
    {
        bool IsKept(string line) => !line.Contains("sched_switch", StringComparison.Ordinal) || line.Contains("prev_comm=mix-0", StringComparison.Ordinal);
        Assert.DoesNotContain(Replay(string.Join('\n', Lines.Where(IsKept))).Problems, problem => problem.Kind == TraceProblemKind.MissingEvents);
    }

    [Theory]
    [InlineData("shuffled", TraceProblemKind.BackwardTime)]
    [InlineData("twice", TraceProblemKind.BackwardTime)]
    [InlineData("two clocks", TraceProblemKind.ClockJump)]
    [InlineData("decimal commas", TraceProblemKind.DecimalComma)]
    [InlineData("unknown reason", TraceProblemKind.UnknownReason)]
    [InlineData("no reason", TraceProblemKind.MissingField)]
    [InlineData("cut", TraceProblemKind.Truncated)]
    [InlineData("binary", TraceProblemKind.UnreadableLine)]
    [InlineData("long line", TraceProblemKind.LineTooLong)]
    public void Damage_is_named(string damage, TraceProblemKind kind)
    {
        ReplayReport report = Replay(Damaged(damage));
        TraceProblem problem = Assert.Single(report.Problems, problem => problem.Kind == kind);
        Assert.True(problem is { Count: > 0, Lines.Count: > 0 });
        Assert.Contains("Wrong with the trace", Text(report), StringComparison.Ordinal);
    }

    /// <summary>A name that no kernel has is an event like others that are of no use here; without any flush the report says what is missing.</summary>
    [Fact]
    public void An_unknown_version_of_an_event_is_not_taken_for_it()
    {
        ReplayReport report = Replay(Trace.Value.Replace("tlb_flush:", "tlb_flush_v2:", StringComparison.Ordinal));
        Assert.Null(report.Recorded);
        Assert.Contains(report.Missing, missing => missing.StartsWith("no tlb:tlb_flush events", StringComparison.Ordinal));
    }

    [Fact]
    public void Commas_and_line_ends_of_other_systems_change_no_number()
    {
        ReplayReport plain = Replay(Trace.Value);
        foreach (string other in new[] { Damaged("decimal commas"), Trace.Value.Replace("\n", "\r\n", StringComparison.Ordinal) })
        {
            ReplayReport report = Replay(other);
            Assert.Equal((plain.Recorded, plain.Prediction!.Predicted, plain.DurationNs), (report.Recorded, report.Prediction!.Predicted, report.DurationNs));
        }
    }

    [Fact]
    public void No_bytes_make_a_replay_fail()
    {
        var random = new Random(11);
        byte[] whole = Encoding.Latin1.GetBytes(Trace.Value);
        for (int round = 0; round < 12; round++)
        {
            byte[] damaged = [.. whole];
            for (int i = 0; i < damaged.Length; i += 300 + random.Next(3000))
            {
                damaged[i] = (byte)random.Next(256);
            }

            using TraceReader reader = TraceReader.Open(new MemoryStream(damaged), "damaged");
            ReplayReport report = Replayer.Run(reader, "damaged", new ReplayOptions { Policies = round == 0 ? FlushPolicy.All : [] });
            Assert.NotEmpty(report.Problems);
            Assert.NotEmpty(Text(report));
        }
    }

    private static string Damaged(string damage)
    {
        string[] lines = Lines;
        string first = string.Join('\n', lines[..(lines.Length / 2)]) + "\n";
        string second = string.Join('\n', lines[(lines.Length / 2)..]);
        switch (damage)
        {
            case "shuffled":
                new Random(3).Shuffle(lines);
                return string.Join('\n', lines);
            case "twice":
                return Trace.Value + Trace.Value;
            case "two clocks":
                return first + Seconds().Replace(second, "17000000$1.$2:");
            case "decimal commas":
                return Seconds().Replace(Trace.Value, "$1,$2:");
            case "unknown reason":
                return Trace.Value.Replace("(3)", "(9)", StringComparison.Ordinal);
            case "no reason":
                return Trace.Value.Replace("reason:", "why:", StringComparison.Ordinal);
            case "cut":
                return first + "  mix-1-264   [001]    27.7";
            case "binary":
                return $"{first}\u0001\u0002\u0003\u00ff\n{second}";
            default:
                return first + new string('x', 1 << 20) + "\n" + second;
        }
    }

    private static ReplayReport Replay(string text)
    {
        using TraceReader reader = TraceReader.Open(new MemoryStream(Encoding.Latin1.GetBytes(text)), "damaged");
        return Replayer.Run(reader, "damaged", new ReplayOptions { Kernel = TimedProfile.Linux612 });
    }

    private static string Text(ReplayReport report)
    {
        var text = new StringWriter { NewLine = "\n" };
        ReplayText.Write(report, text);
        return text.ToString();
    }

    [GeneratedRegex(@"(?<= )(\d+)\.(\d{6}):")]
    private static partial Regex Seconds();
}
