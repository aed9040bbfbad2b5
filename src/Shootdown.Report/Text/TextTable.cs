using System.Text;

namespace Shootdown.Report;

/// <summary>Aligned columns of text, two spaces apart.</summary>
public static class TextTable
{
    private const int Gap = 2;

    /// <summary>
    /// The lines: heads, a rule, rows. The last column is not padded. If they were wider than <paramref name="width"/> columns, the widest
    /// cells go on in the next line, broken at blanks.
    /// </summary>
    public static IReadOnlyList<string> Lines(
        IReadOnlyList<string> columns, IReadOnlyList<IReadOnlyList<string>> rows, string margin = "", int width = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(columns);
        ArgumentNullException.ThrowIfNull(rows);
        IReadOnlyList<string>[] all = [columns, .. rows];
        int[] widths = [.. columns.Select((_, i) => all.Max(row => row[i].Length))];
        Fit(widths, all, width - margin.Length - (Gap * (columns.Count - 1)));
        return
        [
            .. Row(columns, widths, margin),
            Line([.. widths.Select(each => new string('-', each))], widths, margin),
            .. rows.SelectMany(row => Row(row, widths, margin)),
        ];
    }

    /// <summary>Takes from the widest column until all fit, but leaves each its longest word.</summary>
    private static void Fit(int[] widths, IReadOnlyList<string>[] rows, int room)
    {
        int[] least = [.. widths.Select((_, i) => rows.Max(row => row[i].Split(' ').Max(word => word.Length)))];
        while (widths.Sum() > room)
        {
            int widest = Enumerable.Range(0, widths.Length).Where(i => widths[i] > least[i]).DefaultIfEmpty(-1).MaxBy(i => i < 0 ? 0 : widths[i]);
            if (widest < 0)
            {
                return;
            }

            widths[widest]--;
        }
    }

    private static IEnumerable<string> Row(IReadOnlyList<string> cells, int[] widths, string margin)
    {
        IReadOnlyList<string>[] wrapped = [.. cells.Select((cell, i) => Paragraph.Wrap(cell, string.Empty, string.Empty, widths[i]))];
        int height = wrapped.Max(cell => cell.Count);
        return Enumerable.Range(0, height).Select(i => Line([.. wrapped.Select(cell => i < cell.Count ? cell[i] : string.Empty)], widths, margin));
    }

    private static string Line(IReadOnlyList<string> cells, int[] widths, string margin)
    {
        var line = new StringBuilder(margin);
        for (int i = 0; i < cells.Count; i++)
        {
            line.Append(cells[i].PadRight(widths[i])).Append(' ', Gap);
        }

        return line.ToString().TrimEnd();
    }
}
