using System.Text;

namespace Shootdown.Report;

/// <summary>Wraps prose to the width of a mail.</summary>
public static class Paragraph
{
    /// <summary>Longest line of anything that may be pasted into a mail.</summary>
    public const int MailWidth = 72;

    /// <summary>A space at which no line is broken.</summary>
    public const char Glue = '\u00a0';

    private static readonly char[] Blanks = [' ', '\t', '\r', '\n'];

    /// <summary>
    /// Lines of at most <paramref name="width"/> columns. The first one starts with <paramref name="first"/>, the others
    /// with <paramref name="rest"/>. Only a single word that is longer than the room makes a longer line.
    /// </summary>
    public static IReadOnlyList<string> Wrap(string text, string first, string rest, int width = MailWidth)
    {
        var lines = new List<string>();
        var line = new StringBuilder(first);
        bool isEmpty = true;
        foreach (string word in text.Split(Blanks, StringSplitOptions.RemoveEmptyEntries))
        {
            if (!isEmpty && line.Length + 1 + word.Length > width)
            {
                lines.Add(line.ToString().TrimEnd());
                line.Clear().Append(rest);
                isEmpty = true;
            }

            line.Append(isEmpty ? string.Empty : " ").Append(word.Replace(Glue, ' '));
            isEmpty = false;
        }

        lines.Add(line.ToString().TrimEnd());
        return lines;
    }

    /// <summary>Wraps each paragraph (they are separated by blank lines) and keeps one blank line between them.</summary>
    public static IReadOnlyList<string> WrapAll(string text, string margin, int width = MailWidth)
    {
        var lines = new List<string>();
        foreach (string paragraph in text.ReplaceLineEndings("\n").Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            if (string.IsNullOrWhiteSpace(paragraph))
            {
                continue;
            }

            if (lines.Count > 0)
            {
                lines.Add(string.Empty);
            }

            lines.AddRange(Wrap(paragraph, margin, margin, width));
        }

        return lines;
    }
}
