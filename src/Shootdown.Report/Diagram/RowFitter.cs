using System.Text;

namespace Shootdown.Report;

/// <summary>A row cut to a width.</summary>
/// <param name="Lines">One line as a rule; further ones hold what found no room beside the text.</param>
/// <param name="Cost">How much was lost: 0 if all of it stands on one line in its column.</param>
internal sealed record FittedRow(IReadOnlyList<string> Lines, double Cost);

/// <summary>
/// Cuts rows to the width of a column. It gives up, in this order: arguments, old values, notes on the same line, the
/// column's right border (no other column has anything on that line), one line. Words are never cut.
/// </summary>
internal static class RowFitter
{
    /// <summary>Columns of one level of nesting.</summary>
    public const int IndentWidth = 2;

    /// <summary>The arrow of a decisive row.</summary>
    public const string Arrow = "<--";

    private const int ArrowRoom = 4;
    private const int NarrowWidth = 28;
    private const double CostOfOwnLine = 4;
    private const double CostOfSpill = 8;
    private const double CostOfSpilledPosition = 0.5;
    private const double CostOfWrap = 20;
    private const double CostOfOverflow = 200;

    /// <summary>The fullest form of a row that fits.</summary>
    /// <param name="row">What happens.</param>
    /// <param name="width">Room of the column.</param>
    /// <param name="lineWidth">Room up to the end of the line, across the columns to the right.</param>
    public static FittedRow Fit(DiagramRow row, int width, int lineWidth)
    {
        string indent = new(' ', row.Depth * IndentWidth);
        int arrowRoom = row.IsDecisive ? ArrowRoom : 0;
        return FitText(row, indent, row.Events, width - arrowRoom, 0)
            ?? WithEventsBelow(FitText(row, indent, [], width - arrowRoom, CostOfOwnLine), row, indent, width, lineWidth)
            ?? WithEventsBelow(SpillText(row, indent, width - arrowRoom, lineWidth - arrowRoom), row, indent, width, lineWidth)
            ?? WithEventsBelow(WrapText(row, indent, width - arrowRoom), row, indent, width, lineWidth)!;
    }

    /// <summary>The first of the text's forms that fits on one line; null if none does.</summary>
    private static FittedRow? FitText(DiagramRow row, string indent, IReadOnlyList<string> events, int room, double cost)
    {
        foreach ((string text, IReadOnlyList<string> outcomes) in Forms(row))
        {
            string line = indent + Compose(text, outcomes, events);
            if (line.Length <= room)
            {
                return new FittedRow([line], cost);
            }

            cost++;
        }

        return null;
    }

    /// <summary>The shortest form across the border of the column; null if even that is longer than the line.</summary>
    private static FittedRow? SpillText(DiagramRow row, string indent, int width, int lineWidth)
    {
        (string text, IReadOnlyList<string> outcomes) = Forms(row)[^1];
        string line = indent + Compose(text, outcomes, []);
        return line.Length <= lineWidth ? new FittedRow([line], CostOfOwnLine + SpillCost(line.Length, width)) : null;
    }

    private static double SpillCost(int length, int width)
        => length <= width ? 0 : CostOfSpill + CostOfSpilledPosition * (length - width);

    private static FittedRow WrapText(DiagramRow row, string indent, int room)
    {
        (string text, IReadOnlyList<string> outcomes) = Forms(row)[^1];
        IReadOnlyList<string> lines = Wrap(Compose(text, outcomes, []), indent, room);
        return new FittedRow(lines, CostOfWrap * lines.Count + Overflow(lines, room));
    }

    private static FittedRow? WithEventsBelow(FittedRow? head, DiagramRow row, string indent, int width, int lineWidth)
    {
        if (head is null)
        {
            return null;
        }

        var lines = new List<string>(head.Lines);
        double cost = head.Cost;
        string deeper = indent + new string(' ', IndentWidth);
        foreach (string hardware in row.Events)
        {
            if (deeper.Length + hardware.Length <= lineWidth)
            {
                cost += SpillCost(deeper.Length + hardware.Length, width);
                lines.Add(deeper + hardware);
                continue;
            }

            IReadOnlyList<string> wrapped = Wrap(hardware, deeper, lineWidth);
            cost += CostOfWrap * (wrapped.Count - 1) + Overflow(wrapped, lineWidth);
            lines.AddRange(wrapped);
        }

        return new FittedRow(lines, cost);
    }

    /// <summary>Wraps at words; a closing bracket stays with the word before it.</summary>
    private static IReadOnlyList<string> Wrap(string text, string indent, int width)
    {
        string hanging = indent + new string(' ', width < NarrowWidth ? IndentWidth : 2 * IndentWidth);
        string glued = text.Replace(" ]", $"{Paragraph.Glue}]", StringComparison.Ordinal)
            .Replace("[ ", $"[{Paragraph.Glue}", StringComparison.Ordinal);
        return Paragraph.Wrap(glued, indent, hanging, width);
    }

    private static double Overflow(IReadOnlyList<string> lines, int width)
        => CostOfOverflow * lines.Count(line => line.Length > width);

    private static (string Text, IReadOnlyList<string> Outcomes)[] Forms(DiagramRow row)
    {
        string brief = CallText.WithoutArguments(row.Text);
        string[] news = IsStep(row.Text)
            ? []
            : [.. row.Outcomes.Where(outcome => !outcome.StartsWith("was ", StringComparison.Ordinal))];
        return [(row.Text, row.Outcomes), (brief, row.Outcomes), (row.Text, news), (brief, news)];
    }

    /// <summary>
    /// The row as one would say it: <c>ptep_get() is none</c>, <c>ptep_get_and_clear(), was frame 3</c>,
    /// <c>load 0x1000  [ TLB: frame 3 ]</c>.
    /// </summary>
    internal static string Compose(string text, IReadOnlyList<string> outcomes, IReadOnlyList<string> events)
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
        else if (IsStep(text))
        {
            line.Append(", now ").Append(outcome.AsSpan("is ".Length));
        }
        else
        {
            const string Read = "read ";
            line.Remove(0, text.StartsWith(Read, StringComparison.Ordinal) ? Read.Length : 0).Append(' ').Append(outcome);
        }
    }

    private static bool IsStep(string text)
        => text.EndsWith("++", StringComparison.Ordinal) || text.EndsWith("--", StringComparison.Ordinal);
}
