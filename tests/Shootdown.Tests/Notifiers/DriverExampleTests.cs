using System.Globalization;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Cli;
using Shootdown.Tests.Cli;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Notifiers;

/// <summary>What docs/drivers.md shows is what its examples print, and what a driver can do wrong is found.</summary>
public sealed class DriverExampleTests
{
    [Theory]
    [InlineData("examples/interval-driver.cs")]
    [InlineData("examples/start-end-driver.cs")]
    public void The_page_shows_the_example_and_what_it_prints(string example)
    {
        string page = Repository.Read("docs/drivers.md");
        Assert.Contains($"```csharp\n{DriverOf(Repository.Read(example))}```\n", page, StringComparison.Ordinal);
        string cache = Directory.CreateTempSubdirectory("shootdown-test-").FullName;
        try
        {
            ScenarioFile file = SingleFileScenario.Load(Repository.PathOf(example), cache);
            Assert.Equal(string.Empty, file.Reason);
            string output = Run(file, example);
            string block = Fence(page, $"VIOLATION  {file.Scenarios[0].Id} (bug)");
            Assert.Contains(block, output, StringComparison.Ordinal);
            Assert.Contains($"PASS  {file.Scenarios[0].Id} (fix)", output, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    [Theory]
    [InlineData(Mistake.None, "")]
    [InlineData(Mistake.NoRetry, "P-life")]
    [InlineData(Mistake.EmptyRange, "P-life")]
    [InlineData(Mistake.FirstPageOnly, "P-life")]
    [InlineData(Mistake.SleepsUnderOomReaper, "P-atomic")]
    [InlineData(Mistake.IntervalSleepsUnderOomReaper, "P-atomic")]
    [InlineData(Mistake.BeginsUnderItsLock, "deadlock")]
    [InlineData(Mistake.InvalidatesInTheEnd, "P-life")]
    [InlineData(Mistake.FlagInsteadOfCount, "P-life")]
    [InlineData(Mistake.NoRelease, "P-life")]
    [InlineData(Mistake.FailsAndHasAnEnd, "assert")]
    [InlineData(Mistake.ForgetsTheEnd, "P-progress")]
    [InlineData(Mistake.TriesAgainWithoutWaiting, "")]
    [InlineData(Mistake.MapsNothing, "")]
    [InlineData(Mistake.MarksAtUnmap, "")]
    [InlineData(Mistake.NeverMarks, "P-write")]
    public void What_a_driver_does_wrong_is_found(Mistake mistake, string property)
    {
        var scenario = new MistakenDriver(mistake);
        ScenarioSetup setup = ScenarioDefaults.SetupOf(scenario, Variant.Bug);
        CheckReport report = ScenarioCheck.Run(scenario, setup, new CheckOptions { Workers = 2, MinimiserStatesMax = 1_000 });
        Assert.Equal(
            (property.Length > 0 ? Verdict.Violation : mistake == Mistake.MapsNothing ? Verdict.Inconclusive : Verdict.Pass, property),
            (report.Verdict, report.Counterexample?.PropertyId ?? string.Empty));
        if (report.Verdict == Verdict.Violation)
        {
            Bound machine = report.OneOfAll!;
            CheckReport alone = ScenarioCheck.Run(
                scenario,
                ScenarioDefaults.SetupOf(scenario, Variant.Bug, scenario.Model, (machine.Name, int.Parse(machine.Value, CultureInfo.InvariantCulture))),
                new CheckOptions { Schedule = report.Counterexample!.Schedule });
            Assert.Equal((Verdict.Violation, property), (alone.Verdict, alone.Counterexample!.PropertyId));
        }
    }

    /// <summary>The example from its driver's class on, without the harness around it.</summary>
    private static string DriverOf(string example) => example[example.IndexOf("    private sealed class Driver", StringComparison.Ordinal)..^2];

    private static string Fence(string page, string start)
    {
        int from = page.IndexOf(start, StringComparison.Ordinal);
        Assert.True(from >= 0, $"docs/drivers.md has no block that begins with {start}");
        return page[from..page.IndexOf("  ...\n", from, StringComparison.Ordinal)];
    }

    private static string Run(ScenarioFile file, string example)
        => CommandRun.Of(host => host with { Scenarios = () => [], LoadFile = _ => file }, "check", example).Output;
}
