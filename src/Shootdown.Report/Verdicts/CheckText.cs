using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>How much of a result is written.</summary>
public enum CheckDetail
{
    /// <summary>One line.</summary>
    VerdictOnly,

    /// <summary>Verdict, diagram, footer.</summary>
    Diagram,

    /// <summary>Verdict, every step, footer.</summary>
    FullTrace,
}

/// <summary>The result of one check as text: the verdict first, then what it rests on.</summary>
public static class CheckText
{
    private const int HeadWidth = 100;
    private const string Margin = "  ";

    /// <summary>Writes the result.</summary>
    public static void Write(CheckReport report, CheckInvocation invocation, CheckDetail detail, TextWriter writer)
    {
        writer.WriteLines(HeadOf(report));
        if (VerdictLine.Surprise(report) is { } surprise)
        {
            writer.WriteLines(Paragraph.Wrap(surprise, Margin, Margin));
        }

        if (detail == CheckDetail.VerdictOnly)
        {
            return;
        }

        if (report.Title.Length > 0)
        {
            writer.WriteLines(Paragraph.Wrap(report.Title, Margin, Margin));
        }

        writer.WriteLine();
        if (report.Counterexample is { } run)
        {
            WriteRun(run, detail, writer);
            writer.WriteLine();
        }

        if (report.Reason.Length > 0)
        {
            writer.WriteLines(Paragraph.WrapAll(report.Reason, Margin));
            writer.WriteLine();
        }

        writer.WriteLines(Footer.Lines(report, invocation));
        CostText.Write(report, writer);
    }

    private static void WriteRun(Counterexample run, CheckDetail detail, TextWriter writer)
    {
        if (detail == CheckDetail.FullTrace)
        {
            FullTrace.Write(run, writer);
        }
        else
        {
            MailDiagram.Write(run, writer);
        }
    }

    /// <summary>One line, unless the title is very long.</summary>
    private static IReadOnlyList<string> HeadOf(CheckReport report)
    {
        string line = VerdictLine.Of(report);
        return line.Length <= HeadWidth ? [line] : Paragraph.Wrap(line, string.Empty, "  ", HeadWidth);
    }
}
