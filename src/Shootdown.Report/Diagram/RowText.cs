using System.Text;

namespace Shootdown.Report;

/// <summary>
/// Says a row as one would: <c>ptep_get() is none</c>, <c>ptep_get_and_clear(), was frame 3</c>,
/// <c>load 0x1000  [ TLB: frame 3 ]</c>.
/// </summary>
internal static class RowText
{
    /// <summary>The row's forms on one line, the fullest first; the last one has neither arguments nor old values.</summary>
    public static string[] Forms(DiagramRow row, string indent, IReadOnlyList<string> events)
    {
        string brief = CallText.WithoutArguments(row.Text);
        IReadOnlyList<string> news = IsCounted(row.Text)
            ? []
            : [.. row.Outcomes.Where(outcome => !outcome.StartsWith("was ", StringComparison.Ordinal))];
        return
        [
            indent + Compose(row.Text, row.Outcomes, events),
            indent + Compose(brief, row.Outcomes, events),
            indent + Compose(row.Text, news, events),
            indent + Compose(brief, news, events),
        ];
    }

    private static string Compose(string text, IReadOnlyList<string> outcomes, IReadOnlyList<string> events)
    {
        var line = new StringBuilder(text);
        foreach (string outcome in outcomes)
        {
            AddOutcome(line, outcome);
        }

        foreach (string hardware in events)
        {
            line.Append("  ").Append(hardware);
        }

        return line.ToString();
    }

    private static void AddOutcome(StringBuilder line, string outcome)
    {
        string text = line.ToString();
        if (text.EndsWith(" ]", StringComparison.Ordinal))
        {
            string joint = outcome.StartsWith("from ", StringComparison.Ordinal) ? " " : ", ";
            line.Insert(line.Length - " ]".Length, joint + outcome);
        }
        else if (!outcome.StartsWith("is ", StringComparison.Ordinal))
        {
            line.Append(", ").Append(outcome);
        }
        else if (IsCounted(text))
        {
            line.Append(", now ").Append(outcome.AsSpan("is ".Length));
        }
        else
        {
            const string Read = "read ";
            line.Remove(0, text.StartsWith(Read, StringComparison.Ordinal) ? Read.Length : 0).Append(' ').Append(outcome);
        }
    }

    private static bool IsCounted(string text)
        => text.EndsWith("++", StringComparison.Ordinal) || text.EndsWith("--", StringComparison.Ordinal);
}
