using System.Text.Json;
using System.Text.RegularExpressions;
using Shootdown.Measure;
using Shootdown.Tests.Cli;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Measure;

/// <summary>The commands, and that the guide shows what they print.</summary>
public sealed partial class ReplayCommandTests
{
    [Fact]
    public void The_guide_shows_what_its_commands_print()
    {
        MatchCollection blocks = Example().Matches(Repository.Read("docs/replay.md"));
        Assert.InRange(blocks.Count, 1, 20);
        foreach (Match block in blocks)
        {
            string[] arguments = block.Groups["arguments"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string[] inPlace = [.. arguments.Select(word => word.StartsWith("examples/", StringComparison.Ordinal) ? Repository.PathOf(word) : word)];
            (int code, string output, string error) = Run(inPlace);
            Assert.True(code == 0, error);
            output = output.Replace(Repository.PathOf("examples/"), "examples/", StringComparison.Ordinal);
            foreach (string part in block.Groups["output"].Value.Split("...\n", StringSplitOptions.RemoveEmptyEntries))
            {
                Assert.Contains(part, output, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Json_is_one_document()
    {
        (int code, string output, _) = Run("replay", TraceText.PathOf("mix2.perf-script.txt"), "--json", "--comm", "mix");
        using JsonDocument document = JsonDocument.Parse(output);

        Assert.Equal(0, code);
        Assert.Equal("shootdown/replay/1", document.RootElement.GetProperty("schema").GetString());
        Assert.True(document.RootElement.GetProperty("replay").GetProperty("recorded").GetProperty("local_mm").GetInt64() > 0);
    }

    [Theory]
    [InlineData(64, "replay takes a trace", "replay")]
    [InlineData(64, "--kernel '5.4': expected 6.1 or 6.12 or 6.18", "replay", "x", "--kernel", "5.4")]
    [InlineData(64, "there is no policy 'ful'", "replay", "x", "--policy", "ful")]
    [InlineData(64, "no.json: the cost file cannot be read", "replay", "x", "--costs", "no.json")]
    [InlineData(64, "--pid 'me': expected the number of a process", "replay", "x", "--pid", "me")]
    [InlineData(3, "no-such-file: no such file", "replay", "no-such-file")]
    [InlineData(3, "/: this is a folder; give a file with a trace in it", "replay", "/")]
    [InlineData(64, "record needs a command behind '--', or --seconds", "record")]
    [InlineData(64, "record takes a command or --pid, not both", "record", "--pid", "1", "--", "ls")]
    [InlineData(64, "--buffer '1K': expected from 4K to 1T", "record", "--seconds", "1", "--buffer", "1K")]
    [InlineData(3, "sudo perf record -a", "record", "--seconds", "1")]
    [InlineData(3, "-- ls '-l a'", "record", "--", "ls", "-l a")]
    public void What_cannot_be_done_says_why(int exitCode, string message, params string[] arguments)
    {
        (int code, _, string error) = Run(arguments);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Equal(exitCode, code);
    }

    [Fact]
    public void A_command_is_recorded_for_its_life_and_the_file_is_replayed()
    {
        string folder = Directory.CreateTempSubdirectory("shootdown-record-").FullName;
        try
        {
            string file = Path.Combine(folder, "t.gz");
            (int code, _, string error) = Run(new FakeTracefs(folder), "record", "--out", file, "--", "sh", "-c", "exit 3");
            Assert.Equal(0, code);
            Assert.Contains("sh ended with 3", error, StringComparison.Ordinal);
            Assert.Contains("12 events lost: record again with a larger --buffer", error, StringComparison.Ordinal);
            Assert.Contains($"next: ./shootdown replay {file} --comm sh", error, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(folder, "instances")));

            (code, string output, _) = Run("replay", file);
            Assert.Equal(0, code);
            Assert.Matches(@"t\.gz: shootdown record, [0-9,]+ lines, 1 event", output);
            Assert.Contains("12 events lost by the recorder: all totals are too low", output, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_recording_that_is_there_stays_until_another_one_has_begun()
    {
        string folder = Directory.CreateTempSubdirectory("shootdown-record-").FullName;
        try
        {
            string old = Path.Combine(folder, "old.gz");
            string none = Path.Combine(folder, "none.gz");
            File.WriteAllText(old, "an older recording");
            foreach (string file in new[] { old, none })
            {
                (int code, _, string error) = Run(new FakeTracefs(folder), "record", "--out", file, "--", "/no/such/program");
                Assert.Equal(64, code);
                Assert.Contains("'/no/such/program' cannot be started", error, StringComparison.Ordinal);
            }

            Assert.Equal("an older recording", File.ReadAllText(old));
            Assert.False(File.Exists(none));
            Assert.Equal(0, Run(new FakeTracefs(folder), "record", "--out", old, "--", "true").Code);
            Assert.Equal(0, Run("replay", old).Code);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData(764, 1)]
    [InlineData(2300, 0)]
    public void Measurements_that_contradict_each_other_are_named(double withInterrupt, int contradictions)
    {
        CalibrationRow[] rows =
        [
            new("madvise(DONTNEED) of a page", 700, 600, 800, 1032, []), new("interrupt of one CPU and answer (membarrier)", 1583, 1500, 1600, 9354, []),
            new("madvise(DONTNEED) of a page, one CPU to interrupt", withInterrupt, 700, 900, 12929, []),
        ];
        Assert.Equal(contradictions, CalibratedCosts.Contradictions(rows).Count());
    }

    [Fact]
    public void A_cost_file_scales_what_was_measured_and_keeps_the_rest()
    {
        var output = new MemoryStream();
        CalibrationRow[] rows = [new("system call", 246, 240, 250, 123, ["kernel.syscall_ns"])];
        IReadOnlyList<string> kept = CalibratedCosts.Write(rows, "twice as slow", output);
        using JsonDocument document = JsonDocument.Parse(output.ToArray());
        using JsonDocument defaults = JsonDocument.Parse(Repository.Read("costs/default.json"));

        int before = defaults.RootElement.GetProperty("kernel").GetProperty("syscall_ns").GetInt32();
        Assert.Equal(2 * before, document.RootElement.GetProperty("kernel").GetProperty("syscall_ns").GetInt32());
        Assert.DoesNotContain("kernel.syscall_ns", kept);
        Assert.Contains("tlb.invlpg_ns", kept);
        Assert.Equal("twice as slow", document.RootElement.GetProperty("description").GetString());
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments) => Run(null, arguments);

    private static (int Code, string Output, string Error) Run(TracefsFiles? tracefs, params string[] arguments)
        => CommandRun.Of(host => host with { Scenarios = () => [], Tracefs = () => tracefs }, arguments);

    [GeneratedRegex(@"```\n\$ \./shootdown (?<arguments>replay .*)\n(?<output>(.*\n)*?)```", RegexOptions.ExplicitCapture)]
    private static partial Regex Example();
}
