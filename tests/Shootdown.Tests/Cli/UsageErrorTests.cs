using System.Text;
using Shootdown.Cli;

namespace Shootdown.Tests.Cli;

public sealed class UsageErrorTests
{
    /// <summary>Command lines that make no sense, one golden file for all of their messages.</summary>
    private static readonly string[][] Wrong =
    [
        [],
        ["chek", "B02"],
        ["madv-dontneed-parallel"],
        ["race.cs"],
        ["--jsno"],
        ["list", "extra"],
        ["list", "--tag"],
        ["list", "--tag", "gater"],
        ["list", "--tag", "numa"],
        ["list", "--cpus", "3"],
        ["explain"],
        ["explain", "B02", "B15"],
        ["explain", "B3"],
        ["explain", "--cpus"],
        ["check"],
        ["check", "--all", "B02"],
        ["check", "--all", "--tag", "tso"],
        ["check", "madv-dontned-parallel"],
        ["check", "dontneed"],
        ["check", "something-else-entirely"],
        ["check", "no-such-file.cs"],
        ["check", "B02", "--cpu", "3"],
        ["check", "B02", "--cpus=3", "--frobnicate=7"],
        ["check", "B02", "--cpus"],
        ["check", "B02", "--cpus", "0"],
        ["check", "B02", "--cpus", "9"],
        ["check", "B02", "--cpus", "-1"],
        ["check", "B02", "--cpus", "three"],
        ["check", "B02", "--cpus", "99999999999"],
        ["check", "B02", "--cpus", "3", "--cpus", "4"],
        ["check", "B02", "--cpus", "3", "--bound", "cpus=4"],
        ["check", "B02", "--bound", "cpus"],
        ["check", "B02", "--bound", "page=2"],
        ["check", "B02", "--store-buffer", "2"],
        ["check", "my-own-race", "--cpus", "2"],
        ["check", "B02", "B15", "--bound", "levels=2"],
        ["check", "B02", "--variant", "bgu"],
        ["check", "B02", "--model", "tso"],
        ["check", "B02", "--memory", "4"],
        ["check", "B02", "--memory", "0G"],
        ["check", "B02", "--memory", "many"],
        ["check", "B02", "--time", "60"],
        ["check", "B02", "--time", "0s"],
        ["check", "B02", "--workers", "0"],
        ["check", "B02", "--workers", "5000"],
        ["check", "B02", "--random", "many"],
        ["check", "B02", "--random", "0"],
        ["check", "B02", "--random", "10", "--expect"],
        ["check", "B02", "--random", "10", "--no-reduction"],
        ["check", "B02", "--random", "10", "--seed", "-1"],
        ["check", "B02", "--seed", "7"],
        ["check", "B02", "--trace", "half"],
        ["check", "B02", "--trace", "full", "--quiet"],
        ["check", "B02", "--schedule", "0.1.2"],
        ["check", "--all", "--variant", "bug", "--schedule", "0.1.2"],
    ];

    [Fact]
    public void Messages()
    {
        var text = new StringBuilder();
        foreach (string[] arguments in Wrong)
        {
            var catalogue = new FakeCatalogue();
            (int exitCode, string output, string error) = catalogue.Run(arguments);
            text.Append("$ ./shootdown ").AppendJoin(' ', arguments).Append('\n').Append(error).Append('\n');

            Assert.True(exitCode == ExitCode.Usage, $"exit {exitCode}: {string.Join(' ', arguments)}");
            Assert.Equal(string.Empty, output);
            Assert.Empty(catalogue.Asked);
        }

        GoldenFile.Matches("cli/usage-errors.txt", text.ToString());
    }

    [Fact]
    public void A_schedule_that_does_not_fit_is_a_usage_error()
    {
        var catalogue = new FakeCatalogue();
        catalogue.Answers[("madv-dontneed-parallel", Catalogue.Variant.Bug)] =
            _ => throw new Check.ScheduleException("step 3: agent 9 does not exist; there are 0 to 4");
        (int exitCode, string output, string error) = catalogue.Run("check", "B02", "--variant", "bug", "--schedule", "0.1.9");

        Assert.Equal(ExitCode.Usage, exitCode);
        Assert.Equal(string.Empty, output);
        Assert.Equal("shootdown: --schedule: step 3: agent 9 does not exist; there are 0 to 4\n", error);
    }

    [Theory]
    [InlineData("abc", "abc", 0)]
    [InlineData("abc", "ABC", 0)]
    [InlineData("abc", "acb", 1)]
    [InlineData("abc", "abxc", 1)]
    [InlineData("", "abc", 3)]
    [InlineData("kitten", "sitting", 3)]
    public void Distance(string a, string b, int expected) => Assert.Equal(expected, NearestName.Distance(a, b));
}
