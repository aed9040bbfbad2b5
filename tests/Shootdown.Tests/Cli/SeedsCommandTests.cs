using System.Text.Json;
using System.Text.RegularExpressions;
using Shootdown.Catalogue;
using Shootdown.Cli;

namespace Shootdown.Tests.Cli;

/// <summary><c>seeds</c>: items are answered by what was run, and every violation replays.</summary>
public sealed partial class SeedsCommandTests
{
    [Fact]
    public void The_list_names_every_item_once()
    {
        (int exitCode, string output, _) = CommandRun.Of("seeds", "--list");
        Assert.Equal(ExitCode.Pass, exitCode);
        Assert.Equal(SeedList.All.Select(item => item.Id), output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line[..7]));
        Assert.Equal(SeedList.All.Count, SeedList.All.Select(item => item.Id).Distinct().Count());
    }

    [Fact]
    public void Claims_fit_a_line()
        => Assert.All(SeedList.All, item => Assert.InRange(item.Claim.Length, 1, 130));

    [Fact]
    public void A_run_that_violates_is_replayed_by_the_command_that_is_printed()
    {
        (_, string output, _) = CommandRun.Of("seeds", "S000-13", "--run", "after the unlock", "--quiet");
        string schedule = Schedule().Match(output).Groups["schedule"].Value;
        Assert.NotEmpty(schedule);
        (_, string again, _) = CommandRun.Of("seeds", "S000-13", "--run", "after the unlock", "--schedule", schedule, "--quiet");
        Assert.Contains("VIOLATION", again, StringComparison.Ordinal);
        Assert.Contains("P-agree", again, StringComparison.Ordinal);
    }

    [Fact]
    public void The_document_carries_the_runs_and_the_tables()
    {
        (int exitCode, string output, _) = CommandRun.Of("seeds", "S000-07", "--json");
        Assert.Equal(ExitCode.Pass, exitCode);
        using var document = JsonDocument.Parse(output);
        JsonElement item = document.RootElement.GetProperty("items")[0];
        Assert.Equal("S000-07", item.GetProperty("id").GetString());
        Assert.Equal(SeedList.Find("S000-07")[0].Runs.Count, item.GetProperty("runs").GetArrayLength());
        Assert.Equal(3, item.GetProperty("tables")[0].GetProperty("columns").GetArrayLength());
    }

    [Fact]
    public void Without_time_an_item_is_undecided_and_never_answered()
    {
        (int exitCode, string output, _) = CommandRun.Of("seeds", "S000-17", "--time", "1ms", "--quiet");
        Assert.Equal(ExitCode.Inconclusive, exitCode);
        Assert.Contains("undecided", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("there is no item 'S009-01'", "seeds", "S009-01")]
    [InlineData("S000-17 has no run 'third'; it has '[1] bug'", "seeds", "S000-17", "--run", "third")]
    [InlineData("--run names a run of one item", "seeds", "000", "--run", "x")]
    [InlineData("--schedule replays one run", "seeds", "S000-17", "--schedule", "0.1")]
    [InlineData("--time '5'", "seeds", "S000-17", "--time", "5")]
    public void A_request_that_makes_no_sense_is_refused(string message, params string[] arguments)
    {
        (int exitCode, string output, string error) = CommandRun.Of(arguments);
        Assert.Equal(ExitCode.Usage, exitCode);
        Assert.Empty(output);
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    [GeneratedRegex("--schedule '(?<schedule>[^']*)'")]
    private static partial Regex Schedule();
}
