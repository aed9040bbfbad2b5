using Shootdown.Cli;

namespace Shootdown.Tests.Cli;

/// <summary>What the help pages show as examples can be typed.</summary>
public sealed class HelpExamplesTests
{
    private const string Command = "  ./shootdown ";

    /// <summary>All machines of a command take many seconds, and have tests of their own.</summary>
    private static readonly HashSet<string> Long =
        ["check --all --expect --quiet", "pairs", "pairs --bug madv-dontneed-parallel", "seeds", "seeds 000", "designs"];

    public static TheoryData<string, string> Examples()
    {
        var examples = new TheoryData<string, string>();
        foreach (string page in new[] { "check", "designs", "explain", "list", "pairs", "paths", "seeds" })
        {
            foreach (string line in CommandRun.Of(page, "--help").Output.Split('\n'))
            {
                string example = line.StartsWith(Command, StringComparison.Ordinal) ? line[Command.Length..].Split('>')[0].Trim() : "";

                bool isOwnFile = example.Contains(".cs", StringComparison.Ordinal);
                if (example.Length > 0 && !isOwnFile && !Long.Contains(example))
                {
                    examples.Add(page, example);
                }
            }
        }

        return examples;
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void An_example_is_a_valid_command(string page, string example)
    {
        string[] words = example.Split(' ');
        Assert.Equal(page, words[0]);

        // The catalogue is the real one; no more than a moment is spent on it.
        string[] limit = page is "check" or "pairs" or "designs" or "seeds" ? ["--time", "1ms"] : [];
        (int exitCode, _, string error) = CommandRun.Of([.. words, .. limit]);
        Assert.True(exitCode is not (ExitCode.Usage or ExitCode.Internal), $"{exitCode}: {error}");
    }
}
