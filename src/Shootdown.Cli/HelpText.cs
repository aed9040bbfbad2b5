using System.Reflection;

namespace Shootdown.Cli;

/// <summary>
/// The help pages, one text file a command in <c>Help/</c>. Written by hand, because examples say more than a generated table; a test
/// holds that every option of the grammar is on its page.
/// </summary>
internal static class HelpText
{
    private const string Root = "root";
    private const string BoundsPlace = "{0}\n";

    /// <summary>The page of a command; the general one for any other name.</summary>
    /// <param name="command">Name of the command.</param>
    /// <param name="bounds">Options for bounds that the catalogue's scenarios declare.</param>
    public static string Of(string command, IEnumerable<string> bounds)
        => (Page(command) ?? Page(Root)!).Replace(BoundsPlace, OtherBounds(bounds), StringComparison.Ordinal);

    private static string? Page(string command)
    {
        using Stream? page = Assembly.GetExecutingAssembly().GetManifestResourceStream($"help.{command}");
        if (page is null)
        {
            return null;
        }

        using var reader = new StreamReader(page);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    private static string OtherBounds(IEnumerable<string> bounds)
    {
        string[] others = [.. bounds.Where(name => name is not ("--cpus" or "--pages")).Order().Select(name => name + " N")];
        if (others.Length == 0)
        {
            return "\n";
        }

        IReadOnlyList<string> lines = Report.Paragraph.Wrap(
            $"or in short: {string.Join(", ", others)}", new string(' ', 23), new string(' ', 23), width: 84);
        return string.Join('\n', lines) + "\n\n";
    }
}
