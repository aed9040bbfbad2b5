using System.Xml.Linq;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Structure;

/// <summary>Dependencies point one way: Machine, Kernel, Check, Catalogue, Report, Cli. Each may use only what stands before it.</summary>
public sealed class DependencyTests
{
    private const int LinesMax = 400;
    private const int ColumnsMax = 165;

    private static readonly string[] Order =
        ["Shootdown.Machine", "Shootdown.Kernel", "Shootdown.Measure", "Shootdown.Check", "Shootdown.Catalogue", "Shootdown.Report", "Shootdown.Cli"];

    [Fact]
    public void Projects_reference_only_earlier_ones()
    {
        for (int i = 0; i < Order.Length; i++)
        {
            XDocument project = XDocument.Load(Path.Combine(Repository.Root, "src", Order[i], $"{Order[i]}.csproj"));
            foreach (XElement reference in project.Descendants("ProjectReference"))
            {
                string name = Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/'));
                int at = Array.IndexOf(Order, name);
                Assert.True(at < i && (at >= 0 || name == "Shootdown.Analyzers"), $"{Order[i]} references {name}");
            }
        }
    }

    /// <summary>Report knows results, not the kernel; Machine and Kernel know neither properties nor scenarios.</summary>
    [Theory]
    [InlineData("Shootdown.Report", "Shootdown.Kernel")]
    [InlineData("Shootdown.Kernel", "Shootdown.Check")]
    [InlineData("Shootdown.Machine", "Shootdown.Kernel")]
    [InlineData("Shootdown.Check", "Shootdown.Catalogue")]
    public void Sources_do_not_name(string project, string forbidden)
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src", project), "*.cs", SearchOption.AllDirectories))
        {
            Assert.False(
                File.ReadLines(file).Any(line => line.TrimStart().StartsWith($"using {forbidden}", StringComparison.Ordinal)),
                $"{file} uses {forbidden}");
        }
    }

    [Fact]
    public void Files_and_lines_stay_readable()
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories))
        {
            string[] lines = File.ReadAllLines(file);
            Assert.True(lines.Length <= LinesMax, $"{file} has {lines.Length} lines: split it");
            Assert.DoesNotContain(lines, line => line.Length > ColumnsMax || line.Contains('\t', StringComparison.Ordinal));
        }
    }
}
