using System.Text;
using System.Text.RegularExpressions;

namespace Shootdown.Tests.Docs;

/// <summary>The pages of the seed mails: prose, and between marks what the program prints of an item.</summary>
internal static partial class SeedPages
{
    private const string Folder = "docs/seeds";
    private const string End = "<!-- end -->";

    /// <summary>The pages by their path from the root.</summary>
    public static IReadOnlyList<string> All { get; } =
        [.. Directory.GetFiles(Repository.PathOf(Folder), "*.md").Select(path => $"{Folder}/{Path.GetFileName(path)}").Order(StringComparer.Ordinal)];

    /// <summary>Ids of the items that a page shows.</summary>
    public static IReadOnlyList<string> ItemsOf(string page) => [.. Mark().Matches(Repository.Read(page)).Select(mark => mark.Groups["id"].Value)];

    /// <summary>The page with every marked part replaced.</summary>
    /// <param name="page">Path from the root.</param>
    /// <param name="print">What the program prints of an item.</param>
    public static string Refreshed(string page, Func<string, string> print)
    {
        string text = Repository.Read(page);
        var fresh = new StringBuilder();
        int from = 0;
        foreach (Match mark in Mark().Matches(text))
        {
            int end = text.IndexOf(End, mark.Index, StringComparison.Ordinal);
            Assert.True(end >= 0, $"{page}: the part of {mark.Groups["id"].Value} has no {End}");
            fresh.Append(text, from, mark.Index + mark.Length - from)
                .Append("```text\n").Append(WithoutTimes(print(mark.Groups["id"].Value))).Append("```\n");
            from = end;
        }

        return fresh.Append(text, from, text.Length - from).ToString();
    }

    /// <summary>What differs from machine to machine is not on the page.</summary>
    private static string WithoutTimes(string output)
        => string.Concat(output.Split('\n').SkipLast(1).Where(line => !line.StartsWith("  took ", StringComparison.Ordinal)).Select(line => $"{line}\n"));

    [GeneratedRegex(@"<!-- \./shootdown seeds (?<id>S\d{3}-\d{2}) -->\n")]
    private static partial Regex Mark();
}
