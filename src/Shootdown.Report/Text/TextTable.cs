using System.Text;

namespace Shootdown.Report;

/// <summary>Aligned columns of text, two spaces apart.</summary>
public static class TextTable
{
    /// <summary>The lines: heads, a rule, rows. The last column is not padded.</summary>
    public static IReadOnlyList<string> Lines(IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows, string margin = "")
    {
        ArgumentNullException.ThrowIfNull(columns);
        ArgumentNullException.ThrowIfNull(rows);
        int[] widths = [.. columns.Select((head, i) => Math.Max(head.Length, rows.Count == 0 ? 0 : rows.Max(row => row[i].Length)))];
        return [Line(columns), Line([.. widths.Select(width => new string('-', width))]), .. rows.Select(Line)];

        string Line(IReadOnlyList<string> cells)
        {
            var line = new StringBuilder(margin);
            for (int i = 0; i < cells.Count; i++)
            {
                line.Append(cells[i].PadRight(widths[i])).Append("  ");
            }

            return line.ToString().TrimEnd();
        }
    }
}
