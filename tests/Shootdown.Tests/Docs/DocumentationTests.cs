using System.Text.RegularExpressions;
using Shootdown.Catalogue;
using Shootdown.Cli;
using Shootdown.Tests.Cli;

namespace Shootdown.Tests.Docs;

/// <summary>What the pages show is what the program does.</summary>
public sealed partial class DocumentationTests
{
    private const string Example = "examples/cpumask-too-early.cs";
    private const string Elided = "  ...";

    public static TheoryData<string> Pages =>
    [
        "README.md", "docs/README.md", "docs/architecture.md", "docs/scenario.md", "docs/soundness.md", "docs/json.md", "docs/operation.md",
        "docs/designs.md", "docs/devices.md", "docs/drivers.md", "docs/replay.md",
    ];

    [Fact]
    public void The_example_on_the_page_is_the_one_in_the_repository()
        => Assert.Equal(Repository.Read(Example), Block("docs/scenario.md", "csharp"));

    [Fact]
    public void The_patch_on_the_page_is_the_one_in_the_repository()
        => Assert.Equal(Repository.Read("examples/no-flush-when-idle.cs"), Block("docs/operation.md", "csharp"));

    [Fact]
    public void The_operation_page_shows_what_its_patch_brings_about()
    {
        string cache = Directory.CreateTempSubdirectory("shootdown-test-").FullName;
        try
        {
            SingleFileTypes file = SingleFileTypes.Load(Repository.PathOf("examples/no-flush-when-idle.cs"), cache);
            Assert.Equal(string.Empty, file.Reason);
            string output = Run(
                [], _ => new ScenarioFile([], string.Empty), _ => file, "pairs", "madvise-dontneed", "reclaim-batched", "patch.cs");
            AssertShown(Block("docs/operation.md", string.Empty), output);
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    [Fact]
    public void The_readme_shows_what_the_first_command_prints()
    {
        string[] arguments = ["check", "madv-dontneed-parallel", "--variant", "bug"];
        string output = Run(ScenarioList.All, _ => new ScenarioFile([], string.Empty), arguments);
        AssertShown(Block("README.md", string.Empty), output);
    }

    [Theory]
    [InlineData("docs/scenario.md", Example)]
    [InlineData("docs/devices.md", "examples/device-driver.cs")]
    public void The_page_shows_what_its_file_prints(string page, string example)
    {
        string cache = Directory.CreateTempSubdirectory("shootdown-test-").FullName;
        try
        {
            ScenarioFile file = SingleFileScenario.Load(Repository.PathOf(example), cache);
            Assert.Equal(string.Empty, file.Reason);
            string output = Run([], _ => file, "check", example);
            AssertShown(Block(page, string.Empty), output);
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_lead_somewhere(string page)
    {
        string folder = Path.GetDirectoryName(Repository.PathOf(page))!;
        IEnumerable<string> broken = Link().Matches(Repository.Read(page))
            .Select(link => link.Groups["target"].Value)
            .Where(target => !target.Contains("://", StringComparison.Ordinal))
            .Where(target => !Path.Exists(Path.Combine(folder, target)));
        Assert.Empty(broken);
    }

    [Fact]
    public void The_readme_is_one_screen() => Assert.InRange(Repository.Read("README.md").Split('\n').Length, 1, 60);

    private static string Run(
        IReadOnlyList<Scenario> catalogue, Func<string, ScenarioFile> load, params string[] arguments)
        => Run(catalogue, load, SingleFileTypes.Load, arguments);

    private static string Run(
        IReadOnlyList<Scenario> catalogue,
        Func<string, ScenarioFile> load,
        Func<string, SingleFileTypes> loadTypes,
        params string[] arguments)
        => CommandRun.Of(host => host with { Scenarios = () => catalogue, LoadFile = load, LoadTypes = loadTypes }, arguments).Output;

    /// <summary>
    /// Every part of the block between two elisions occurs in the output, as whole lines and in this order.
    /// </summary>
    private static void AssertShown(string block, string output)
    {
        int from = 0;
        foreach (string part in block.Split(Elided + "\n", StringSplitOptions.RemoveEmptyEntries))
        {
            // A command that runs only the bug cannot show the fix.
            bool isFix = part.StartsWith("PASS", StringComparison.Ordinal);
            if (isFix && !output.Contains("PASS", StringComparison.Ordinal))
            {
                continue;
            }

            int at = output.IndexOf(part, from, StringComparison.Ordinal);
            Assert.True(at >= 0, $"The output does not contain\n{part}\nIt is\n{output}");
            from = at + part.Length;
        }
    }

    /// <summary>The first fenced block of a language on a page.</summary>
    private static string Block(string page, string language)
    {
        string text = Repository.Read(page);
        string fence = $"```{language}\n";
        int start = language.Length == 0 ? FirstPlain(text) : text.IndexOf(fence, StringComparison.Ordinal);
        Assert.True(start >= 0, $"{page} has no block that begins with {fence}");
        start += fence.Length;
        return text[start..text.IndexOf("```\n", start, StringComparison.Ordinal)];
    }

    private static int FirstPlain(string text)
    {
        bool isOpen = false;
        int at = 0;
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith("```", StringComparison.Ordinal))
            {
                if (!isOpen && line.Length == 3)
                {
                    return at;
                }

                isOpen = !isOpen;
            }

            at += line.Length + 1;
        }

        return -1;
    }

    [GeneratedRegex(@"\]\((?<target>[^)#\s]+)(?:#[^)]*)?\)")]
    private static partial Regex Link();
}
