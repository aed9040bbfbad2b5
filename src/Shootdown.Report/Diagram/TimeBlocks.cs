using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>
/// Draws four or more actors as Documentation/mm/mmu_notifier.rst does: blocks of time, in each of them every actor at
/// most once, events from top to bottom. Actors that stand still in a block are left out of it.
/// </summary>
internal static class TimeBlocks
{
    private const int Gap = 2;

    public static IReadOnlyList<string> Draw(IReadOnlyList<TraceColumn> columns, IReadOnlyList<DiagramRow> rows)
    {
        string[] names = [.. columns.Select(DiagramLayout.HeaderOf)];
        int nameWidth = Math.Min(names.Max(name => name.Length), Paragraph.MailWidth / 3);
        int textOffset = DiagramLayout.Margin + nameWidth + Gap;
        int width = Paragraph.MailWidth - textOffset;
        FittedRow[] fitted = [.. rows.Select(row => new RowFitter(row).Fit(width, width))];
        int? arrow = ColumnDiagram.ArrowPositions([.. rows.Select(row => row with { Column = 0 })], fitted, [width])[0];

        var lines = new List<string>();
        int time = 0;
        int acting = -1;
        var acted = new HashSet<int>();
        for (int i = 0; i < rows.Count; i++)
        {
            bool isNewRun = rows[i].Column != acting;
            if (isNewRun && (i == 0 || acted.Contains(rows[i].Column)))
            {
                lines.Add(BlockHeader(time++));
                acted.Clear();
            }

            acting = rows[i].Column;
            acted.Add(acting);
            string name = isNewRun ? Shortened(names[acting], nameWidth) : string.Empty;
            for (int k = 0; k < fitted[i].Lines.Count; k++)
            {
                string text = fitted[i].Lines[k];
                text = k == 0 && rows[i].IsDecisive ? ColumnDiagram.WithArrow(text, arrow, width) : text;
                string margin = new(' ', DiagramLayout.Margin);
                lines.Add(ColumnDiagram.Cut((margin + (k == 0 ? name : string.Empty)).PadRight(textOffset) + text));
            }
        }

        return lines;
    }

    private static string Shortened(string name, int width) => name.Length <= width ? name : name[..(width - 3)] + "..)";

    private static string BlockHeader(int time)
    {
        string head = new string(' ', DiagramLayout.Margin) + $"[Time {time}] ";
        return head.PadRight(Paragraph.MailWidth, '-');
    }
}
