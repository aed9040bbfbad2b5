using System.Text.Json;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Cli;
using Shootdown.Machine;
using Shootdown.Tests.Report;

namespace Shootdown.Tests.Cli;

public sealed class CommandLineTests
{
    private readonly FakeCatalogue _catalogue = new();

    [Theory]
    [InlineData("list.txt", "list")]
    [InlineData("list-tag.txt", "list", "--tag", "TSO")]
    [InlineData("list.json", "list", "--json")]
    [InlineData("explain.txt", "explain", "b02")]
    [InlineData("explain-little.txt", "explain", "my-own-race")]
    [InlineData("explain.json", "explain", "MADV-dontneed-parallel", "--json")]
    [InlineData("help.txt", "--help")]
    [InlineData("help-list.txt", "list", "--help")]
    [InlineData("help-explain.txt", "explain", "-h")]
    [InlineData("help-pairs.txt", "pairs", "--help")]
    [InlineData("help-seeds.txt", "seeds", "--help")]
    [InlineData("help-check.txt", "check", "--cpus", "nonsense", "-?")]
    [InlineData("version.txt", "--version")]
    public void Pages(string golden, params string[] arguments)
    {
        (int exitCode, string output, string error) = _catalogue.Run(arguments);
        Assert.Equal((0, string.Empty), (exitCode, error));
        GoldenFile.Matches($"cli/{golden}", output);
    }

    [Theory]
    [InlineData("check-both.txt", 1, "check", "B02")]
    [InlineData("check-bug.txt", 1, "check", "B02", "--variant", "bug")]
    [InlineData("check-quiet.txt", 1, "check", "--all", "--quiet")]
    [InlineData("check.json", 1, "check", "B02", "--json", "--trace", "full")]
    [InlineData("check-model-to-come.txt", 3, "check", "B15", "--model", "arm64")]
    public void Checks(string golden, int expectedExitCode, params string[] arguments)
    {
        (int exitCode, string output, string error) = _catalogue.Run(arguments);
        Assert.Equal((expectedExitCode, string.Empty), (exitCode, error));
        GoldenFile.Matches($"cli/{golden}", output);
    }

    [Fact]
    public void Values_reach_the_checker()
    {
        _catalogue.Run(
            "check", "b15", "--variant", "fix", "--model", "SC", "--cpus", "3", "--bound", "store-buffer=2", "--memory", "512M", "--time", "5m",
            "--workers", "7", "--no-reduction", "--schedule", "0.1x2.\n  3");
        (ScenarioSetup setup, CheckOptions options) = Assert.Single(_catalogue.Asked);

        Assert.Equal((Variant.Fix, MemoryModelKind.Sc, TlbKind.Lagging), (setup.Variant, setup.Model, setup.Tlb));
        Assert.Equal((3, 2), (setup["cpus"], setup["store-buffer"]));
        Assert.Equal((512L << 20, TimeSpan.FromMinutes(5), 7, false), (options.MemoryBytes, options.Time, options.Workers, options.Reduction));
        Assert.Equal("0.1x2.3", options.Schedule);
    }

    [Fact]
    public void Defaults_come_from_the_scenario_and_the_machine()
    {
        _catalogue.Run("check", "switch-mm-flush-barrier");
        Assert.Equal([Variant.Bug, Variant.Fix], _catalogue.Asked.Select(asked => asked.Setup.Variant));
        (ScenarioSetup setup, CheckOptions options) = _catalogue.Asked[0];

        Assert.Equal(MemoryModelKind.X86Tso, setup.Model);
        Assert.Equal((2, 4), (setup["cpus"], setup["store-buffer"]));
        Assert.Equal((1L << 30, null, 2, true, null), (options.MemoryBytes, options.Time, options.Workers, options.Reduction, options.Schedule));
    }

    [Fact]
    public void Bounds_go_to_the_scenarios_that_have_them()
    {
        _catalogue.Run("check", "--all", "--variant", "fix", "--pages", "2");
        Assert.Equal(3, _catalogue.Asked.Count);
        Assert.Equal(2, _catalogue.Asked[0].Setup["pages"]);
        Assert.DoesNotContain("pages", _catalogue.Asked[1].Setup.Values.Keys);
    }

    [Fact]
    public void A_scenario_runs_in_the_variants_that_it_has()
    {
        var catalogue = new FakeCatalogue { Scenarios = [FakeCatalogue.FixOnly, FakeCatalogue.Own] };
        Assert.Equal(ExitCode.Pass, catalogue.Run("check", "one-program").ExitCode);
        Assert.Equal([Variant.Fix], catalogue.Asked.Select(asked => asked.Setup.Variant));

        catalogue.Asked.Clear();
        catalogue.Run("check", "--all", "--variant", "bug");
        Assert.Equal([Variant.Bug], catalogue.Asked.Select(asked => asked.Setup.Variant));
        Assert.Contains("There is nothing wrong with it; fix only\n", catalogue.Run("list").Out, StringComparison.Ordinal);
        Assert.DoesNotContain("--variant bug", catalogue.Run("explain", "one-program").Out, StringComparison.Ordinal);
    }

    /// <summary>The command has no option for a bound that only a file declares.</summary>
    [Fact]
    public void The_replay_line_of_a_file_works_when_it_is_pasted()
    {
        var catalogue = new FakeCatalogue { LoadFile = _ => new ScenarioFile([FakeCatalogue.InFile], string.Empty) };
        catalogue.Answers[(FakeCatalogue.InFile.Id, Variant.Bug)] = _ => SampleReports.Violation();
        string document = catalogue.Run("check", "own.cs", "--variant", "bug", "--cpus", "3", "--bound", "depth=7", "--json").Out;
        string line = JsonDocument.Parse(document).RootElement
            .GetProperty("checks")[0].GetProperty("counterexample").GetProperty("replay_command").GetString()!;
        Assert.StartsWith("./shootdown check own.cs --variant bug --model sc --cpus 3 --bound depth=7 --schedule '", line, StringComparison.Ordinal);

        catalogue.Asked.Clear();
        Assert.Equal(ExitCode.Violation, catalogue.Run(line.Replace("'", "", StringComparison.Ordinal).Split(' ')[1..]).ExitCode);
        (ScenarioSetup setup, CheckOptions options) = Assert.Single(catalogue.Asked);
        Assert.Equal((3, 7), (setup["cpus"], setup["depth"]));
        Assert.Equal(SampleReports.Violation().Counterexample!.Schedule, options.Schedule);
    }

    [Fact]
    public void Asking_for_a_variant_that_does_not_exist_is_a_usage_error()
    {
        var catalogue = new FakeCatalogue { Scenarios = [FakeCatalogue.FixOnly] };
        (int exitCode, _, string error) = catalogue.Run("check", "one-program", "--variant", "bug");
        Assert.Equal(ExitCode.Usage, exitCode);
        Assert.StartsWith("shootdown: one-program has no variant 'bug'; it has fix\n", error, StringComparison.Ordinal);

        (exitCode, _, error) = catalogue.Run("check", "--all", "--variant", "bug");
        Assert.Equal(ExitCode.Usage, exitCode);
        Assert.StartsWith("shootdown: none of these scenarios has a variant 'bug'\n", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Scenarios_that_are_named_twice_run_once()
    {
        _catalogue.Run("check", "B02", "madv-dontneed-parallel", "--variant", "bug");
        Assert.Single(_catalogue.Asked);
    }

    [Theory]
    [InlineData(0, Verdict.Pass, Verdict.Pass)]
    [InlineData(1, Verdict.Violation, Verdict.Pass)]
    [InlineData(1, Verdict.Violation, Verdict.Unsupported)]
    [InlineData(1, Verdict.Inconclusive, Verdict.Violation)]
    [InlineData(2, Verdict.Inconclusive, Verdict.Pass)]
    [InlineData(3, Verdict.Inconclusive, Verdict.Unsupported)]
    public void Exit_code_is_the_worst(int expected, Verdict bug, Verdict fix)
    {
        Answer(Variant.Bug, bug, Verdict.Violation);
        Answer(Variant.Fix, fix, Verdict.Pass);
        Assert.Equal(expected, _catalogue.Run("check", "B02").ExitCode);
    }

    [Theory]
    [InlineData(0, Verdict.Violation, Verdict.Pass)]
    [InlineData(1, Verdict.Pass, Verdict.Pass)]
    [InlineData(1, Verdict.Violation, Verdict.Violation)]
    [InlineData(1, Verdict.Violation, Verdict.Inconclusive)]
    [InlineData(1, Verdict.Violation, Verdict.Unsupported)]
    public void Exit_code_against_expectations(int expected, Verdict bug, Verdict fix)
    {
        Answer(Variant.Bug, bug, Verdict.Violation);
        Answer(Variant.Fix, fix, Verdict.Pass);
        Assert.Equal(expected, _catalogue.Run("check", "B02", "--expect").ExitCode);
    }

    [Theory]
    [InlineData(0, Verdict.Pass)]
    [InlineData(0, Verdict.Violation)]
    [InlineData(1, Verdict.Inconclusive)]
    public void Without_an_expectation_any_answer_will_do(int expected, Verdict verdict)
    {
        Answer(Variant.Bug, verdict, null);
        Assert.Equal(expected, _catalogue.Run("check", "B02", "--variant", "bug", "--expect").ExitCode);
    }

    [Fact]
    public void Ctrl_C_ends_with_what_was_found()
    {
        _catalogue.Answers[("madv-dontneed-parallel", Variant.Fix)] = options =>
        {
            _catalogue.PressCtrlC!();
            options.Cancellation.ThrowIfCancellationRequested();
            return SampleReports.Pass();
        };
        (int exitCode, string output, string error) = _catalogue.Run("check", "--all", "--quiet");

        Assert.Equal((ExitCode.Inconclusive, string.Empty), (exitCode, error));
        GoldenFile.Matches("cli/interrupted.txt", output);
    }

    [Fact]
    public void A_scenario_file_that_cannot_be_run_gets_no_verdict()
    {
        var catalogue = new FakeCatalogue { LoadFile = _ => new ScenarioFile([], "There is no compiler here.") };
        (int exitCode, string output, string error) = catalogue.Run("check", "my/race.cs");

        Assert.Equal((ExitCode.Unsupported, string.Empty), (exitCode, error));
        Assert.Equal("UNSUPPORTED  my/race.cs (both)\n\n  There is no compiler here.\n\n  model     sc\n", output);
    }

    [Fact]
    public void A_scenario_file_is_checked_and_replayed_under_its_path()
    {
        var catalogue = new FakeCatalogue { LoadFile = _ => new ScenarioFile([FakeCatalogue.Madvise], string.Empty) };
        (int exitCode, string output, string error) = catalogue.Run("check", "my/race.cs", "--pages", "2");

        Assert.Equal((ExitCode.Violation, string.Empty), (exitCode, error));
        Assert.Equal(2, catalogue.Asked.Count);
        Assert.Contains(
            "replay    ./shootdown check my/race.cs --variant bug --model sc \\\n              --pages 2 \\\n", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Defects_are_one_clear_line_and_a_stack_only_on_request(bool isDebug)
    {
        var catalogue = new FakeCatalogue { IsDebug = isDebug };
        catalogue.Answers[("madv-dontneed-parallel", Variant.Bug)] = _ => throw new InvalidOperationException("the stack\nis empty");
        (int exitCode, string output, string error) = catalogue.Run("check", "B02");

        Assert.Equal((ExitCode.Internal, string.Empty), (exitCode, output));
        Assert.StartsWith("shootdown: internal error: InvalidOperationException: the stack is empty\n", error, StringComparison.Ordinal);
        Assert.Contains("SHOOTDOWN_DEBUG=1", error, StringComparison.Ordinal);
        Assert.Equal(isDebug, error.Contains("   at ", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_option_is_on_the_help_page_of_its_command()
    {
        var tree = new CommandTree([FakeCatalogue.Madvise, FakeCatalogue.SwitchMm]);
        foreach (var command in tree.Root.Subcommands)
        {
            string page = _catalogue.Run(command.Name, "--help").Out;
            Assert.All(command.Options, option => Assert.Contains(option.Name, page, StringComparison.Ordinal));
            Assert.All(page.Split('\n'), line => Assert.True(line.Length <= 88, line));
        }
    }

    private void Answer(Variant variant, Verdict verdict, Verdict? expected) => _catalogue.Answers[("madv-dontneed-parallel", variant)] = _ =>
        (verdict == Verdict.Violation ? SampleReports.Violation() : SampleReports.Pass()) with
        {
            Variant = variant == Variant.Bug ? "bug" : "fix",
            Verdict = verdict,
            Expected = expected,
        };
}
