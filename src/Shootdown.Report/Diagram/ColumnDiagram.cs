using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>Draws up to three actors beside each other, one event a line.</summary>
internal static class ColumnDiagram
{
    private const int ArrowDistance = 3;

    public static IReadOnlyList<string> Draw(IReadOnlyList<TraceColumn> columns, IReadOnlyList<DiagramRow> rows, DiagramLayout layout)
    {
        var lines = new List<string>();
        AddHeader(lines, columns, layout);
        FittedRow[] fitted = [.. rows.Select(layout.Fit)];
        int?[] arrows = ArrowPositions(rows, fitted, layout.Widths);
        for (int i = 0; i < rows.Count; i++)
        {
            string margin = new(' ', layout.Offsets[rows[i].Column]);
            for (int k = 0; k < fitted[i].Lines.Count; k++)
            {
                string text = fitted[i].Lines[k];
                if (k == 0 && rows[i].IsDecisive)
                {
                    text = WithArrow(text, arrows[rows[i].Column], layout.Widths[rows[i].Column]);
                }

                lines.Add(Cut(margin + text));
            }
        }

        return lines;
    }

    /// <summary>Puts the arrow at the given position, or close behind the text where that is not possible.</summary>
    internal static string WithArrow(string text, int? position, int width)
    {
        int at = position ?? Math.Max(text.Length + 1, Math.Min(text.Length + ArrowDistance, width - RowFitter.Arrow.Length));
        return text.PadRight(at) + RowFitter.Arrow;
    }

    /// <summary>One position for all arrows of a column; null where the column is too narrow for that.</summary>
    internal static int?[] ArrowPositions(IReadOnlyList<DiagramRow> rows, IReadOnlyList<FittedRow> fitted, IReadOnlyList<int> widths)
    {
        var positions = new int?[widths.Count];
        for (int column = 0; column < widths.Count; column++)
        {
            int longest = 0;
            for (int i = 0; i < rows.Count; i++)
            {
                longest = rows[i].Column == column && rows[i].IsDecisive ? Math.Max(longest, fitted[i].Lines[0].Length) : longest;
            }

            int last = widths[column] - RowFitter.Arrow.Length;
            positions[column] = longest < last ? Math.Min(longest + ArrowDistance, last) : null;
        }

        return positions;
    }

    /// <summary>The only cut that is ever made: a line that would be wrapped by mail programs.</summary>
    internal static string Cut(string line)
        => line.Length <= Paragraph.MailWidth ? line.TrimEnd() : line[..(Paragraph.MailWidth - 2)] + "..";

    private static void AddHeader(List<string> lines, IReadOnlyList<TraceColumn> columns, DiagramLayout layout)
    {
        string[] headers = [.. columns.Select(DiagramLayout.HeaderOf)];
        if (headers.Select((header, i) => header.Length <= layout.Widths[i]).All(fits => fits))
        {
            lines.Add(Side(headers, layout));
            lines.Add(Side([.. headers.Select(header => new string('-', header.Length))], layout));
            return;
        }

        string[] names = [.. columns.Select(column => column.Name)];
        string[] roles = [.. columns.Select((column, i) => Role(column, layout.Widths[i]))];
        lines.Add(Side(names, layout));
        lines.Add(Side(roles, layout));
        lines.Add(Side([.. names.Zip(roles, (name, role) => new string('-', Math.Max(name.Length, role.Length)))], layout));
    }

    private static string Role(TraceColumn column, int width)
    {
        string role = column.Role.Length == 0 ? string.Empty : $"({column.Role})";
        return role.Length <= width ? role : role[..(width - 3)] + "..)";
    }

    private static string Side(string[] texts, DiagramLayout layout)
    {
        string line = string.Empty;
        for (int i = 0; i < texts.Length; i++)
        {
            line = line.PadRight(layout.Offsets[i]) + texts[i];
        }

        return Cut(line);
    }
}
