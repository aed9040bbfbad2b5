using System.Text.RegularExpressions;
using Shootdown.Cli;
using Shootdown.Tests.Cli;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Designs;

/// <summary>docs/designs.md shows what the command prints, and the example that the repository has.</summary>
public sealed class DesignPageTests
{
    private const string Example = "examples/wait-for-others.cs";

    [Fact]
    public void Table_on_the_page_is_what_the_command_prints()
    {
        (int exitCode, string output, _) = Run(null, "designs", "--quiet");
        Assert.Equal(0, exitCode);
        Assert.Equal(output.TrimEnd(), Block("designs"));
    }

    [Fact]
    public void Example_on_the_page_is_the_one_in_the_repository_and_prints_what_the_page_shows()
    {
        Assert.Equal(Repository.Read(Example).TrimEnd(), Block("example"));
        string cache = Directory.CreateTempSubdirectory("shootdown-test-").FullName;
        try
        {
            SingleFileTypes file = SingleFileTypes.Load(Repository.PathOf(Example), cache);
            Assert.Equal(string.Empty, file.Reason);
            (int exitCode, string output, _) = Run(file, "designs", Example, "batched", "--workload", "two-madvise", "--quiet");
            Assert.Equal(0, exitCode);
            Assert.Equal(output.TrimEnd(), Block("own"));
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    [Fact]
    public void Design_that_is_not_safe_comes_with_its_diagram_and_exit_code_1()
    {
        (int exitCode, string output, _) = Run(null, "designs", "vma-generation-rfc", "--workload", "switch-away");
        Assert.Equal(1, exitCode);
        Assert.Contains("VIOLATION  vma-generation-rfc on switch-away (design)  P-ret", output, StringComparison.Ordinal);
        Assert.Contains("./shootdown designs vma-generation-rfc \\\n", output, StringComparison.Ordinal);
        Assert.Contains("--workload switch-away \\\n", output, StringComparison.Ordinal);
        Assert.DoesNotContain(output.Split('\n'), line => line.Length > 72);
    }

    /// <summary>What Linux 6.12 does wrong itself is no fault of a design; asked for alone, it counts.</summary>
    [Theory]
    [InlineData(0, "As batched, that is Linux 6.12, which is not safe there either:", "latr", "--workload", "page-cache", "--quiet")]
    [InlineData(0, "(1 as batched)", "latr", "batched", "--workload", "page-cache", "--quiet")]
    [InlineData(1, "0 safe, 1 not", "batched", "--workload", "page-cache", "--quiet")]
    [InlineData(1, "0 safe, 1 not", "latr-madvise", "--workload", "two-madvise", "--quiet")]
    public void Exit_code_says_what_a_design_adds_to_Linux(int expected, string text, params string[] arguments)
    {
        (int exitCode, string output, _) = Run(null, ["designs", .. arguments]);
        Assert.Equal(expected, exitCode);
        Assert.Contains(text, output, StringComparison.Ordinal);
    }

    /// <summary>The page's signatures are those of the sources.</summary>
    [Fact]
    public void Signatures_on_the_page_are_those_of_the_kernel()
    {
        string folder = Repository.PathOf("src/Shootdown.Kernel");
        string source = string.Empty;
        foreach (string line in Block("signatures").Split('\n'))
        {
            if (line.StartsWith("// ", StringComparison.Ordinal))
            {
                source = File.ReadAllText(Directory.EnumerateFiles(folder, $"{line[3..]}.cs", SearchOption.AllDirectories).Single());
            }
            else
            {
                Assert.Contains($"    {line}", source, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("there is no design 'bached'; did you mean 'batched'?", "designs", "bached")]
    [InlineData("there is no workload 'two-madvice'; did you mean 'two-madvise'?", "designs", "--workload", "two-madvice")]
    [InlineData("--schedule replays one run: give one design and --workload", "designs", "batched", "--schedule", "0")]
    public void Wrong_names_are_explained(string message, params string[] arguments)
    {
        (int exitCode, _, string error) = Run(null, arguments);
        Assert.Equal(64, exitCode);
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_has_every_counter()
    {
        (int exitCode, string output, _) = Run(null, "designs", "batched", "--workload", "two-madvise", "--json");
        Assert.Equal(0, exitCode);
        Assert.Contains("\"schema\": \"shootdown/designs/1\"", output, StringComparison.Ordinal);
        Assert.Contains("\"full_flushes\"", output, StringComparison.Ordinal);
        Assert.Contains("\"redundant\"", output, StringComparison.Ordinal);
    }

    private static string Block(string marker)
    {
        Match block = Regex.Match(
            Repository.Read("docs/designs.md"),
            $"<!-- {marker} -->\n```[a-z]*\n(?<text>.*?)\n```",
            RegexOptions.Singleline | RegexOptions.ExplicitCapture,
            TimeSpan.FromSeconds(5));
        Assert.True(block.Success, $"docs/designs.md has no block '{marker}'");
        return block.Groups["text"].Value;
    }

    private static (int ExitCode, string Output, string Error) Run(SingleFileTypes? file, params string[] arguments)
        => CommandRun.Of(
            host => host with { LoadTypes = path => file ?? throw new UsageException($"there is no file {path}"), Workers = 2 },
            arguments);
}
