using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>
/// The race as kernel developers paste it into mails: at most 72 columns, one event a row, only the acting column filled,
/// the violation last, then one sentence that says what went wrong.
/// </summary>
public static class MailDiagram
{
    /// <summary>Columns that lose more than this (some wrapped rows) read worse than blocks.</summary>
    private const double CostOfTimeBlocks = 150;

    /// <summary>Lines of the diagram, without the sentence.</summary>
    public static IReadOnlyList<string> Draw(Counterexample run)
    {
        IReadOnlyList<DiagramRow> rows = RowSelection.Choose(run);
        if (rows.Count == 0)
        {
            return [];
        }

        var columns = new List<TraceColumn>();
        var places = new int[run.Columns.Count];
        for (int i = 0; i < places.Length; i++)
        {
            places[i] = columns.Count;
            if (rows.Any(row => row.Column == i))
            {
                columns.Add(run.Columns[i]);
            }
        }

        DiagramRow[] placed = [.. rows.Select(row => row with { Column = places[row.Column] })];
        if (columns.Count > DiagramLayout.ColumnsMax)
        {
            return TimeBlocks.Draw(columns, placed);
        }

        DiagramLayout layout = DiagramLayout.Find(columns, placed);
        return layout.Cost > CostOfTimeBlocks ? TimeBlocks.Draw(columns, placed) : ColumnDiagram.Draw(columns, placed, layout);
    }

    /// <summary>Writes the diagram and its sentence.</summary>
    public static void Write(Counterexample run, TextWriter writer)
    {
        writer.WriteLines(Draw(run));

        WriteSentence(run, writer);
    }

    /// <summary>Writes the sentence that says what went wrong, below a blank line; a replay without a violation has none.</summary>
    internal static void WriteSentence(Counterexample run, TextWriter writer)
    {
        if (run.Sentence.Length == 0)
        {
            return;
        }

        writer.WriteLine();
        string margin = new(' ', DiagramLayout.Margin);
        writer.WriteLines(Paragraph.Wrap(run.Sentence, margin, margin));
    }
}
