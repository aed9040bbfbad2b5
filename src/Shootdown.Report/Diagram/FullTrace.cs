using System.Globalization;
using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>
/// Every step of a run, numbered, with the calls it stands in and all notes (<c>--trace full</c>). A heading says who acts
/// and where; it comes again whenever that changes.
/// </summary>
public static class FullTrace
{
    private const string Margin = "  ";

    /// <summary>Writes all steps and the sentence.</summary>
    public static void Write(Counterexample run, TextWriter writer)
    {
        int digits = run.Steps.Count.ToString(CultureInfo.InvariantCulture).Length;
        string heading = string.Empty;
        for (int i = 0; i < run.Steps.Count; i++)
        {
            TraceStep step = run.Steps[i];
            if (i == run.CycleStart)
            {
                writer.WriteLine(Margin + RowBuilder.RepeatMark);
            }

            string here = HeadingOf(run.Columns[step.Column], step);
            if (here != heading)
            {
                writer.WriteLines(Paragraph.Wrap(here, Margin, Margin + "      "));

                heading = here;
            }

            WriteStep(step, i + 1, digits, writer);
        }

        MailDiagram.WriteSentence(run, writer);
    }

    private static string HeadingOf(TraceColumn column, TraceStep step)
    {
        string who = DiagramLayout.HeaderOf(column) + (step.InInterrupt ? " in interrupt" : string.Empty);
        return step.CallStack.Count == 0 ? who : $"{who}: {string.Join(" -> ", step.CallStack)}";
    }

    private static void WriteStep(TraceStep step, int number, int digits, TextWriter writer)
    {
        string label = Margin + Margin + number.ToString(CultureInfo.InvariantCulture).PadLeft(digits) + Margin;
        string below = new string(' ', label.Length) + Margin;
        IReadOnlyList<string> lines = Paragraph.Wrap(step.Text, label, below, Paragraph.MailWidth - 1 - RowFitter.Arrow.Length);
        for (int i = 0; i < lines.Count; i++)
        {
            writer.WriteLine(i == 0 && step.IsDecisive ? $"{lines[i]} {RowFitter.Arrow}" : lines[i]);
        }

        foreach (string note in step.Notes)
        {
            writer.WriteLines(Paragraph.Wrap(note, below, below + Margin));
        }
    }
}
