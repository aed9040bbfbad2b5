using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>A matrix as text: the table, a diagram for every pair that fails, and what was not covered.</summary>
public static class MatrixText
{
    private const int DiagramsMax = 10;
    private const string Margin = "  ";

    /// <summary>Writes it.</summary>
    public static void Write(MatrixReport matrix, CheckDetail detail, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteLine(Head(matrix));
        if (detail != CheckDetail.VerdictOnly)
        {
            WriteTable(matrix, writer);
            WriteFailures(matrix, detail, writer);
            WriteCoverage(matrix, writer);
        }

        writer.WriteLine();
        writer.WriteLines(Paragraph.Wrap(Verdicts(matrix), string.Empty, Margin));
    }

    private static string Head(MatrixReport matrix)
    {
        int pairs = matrix.Entries.Select(entry => string.Join(' ', entry.Operations)).Distinct().Count();
        int size = matrix.Entries.Count == 0 ? 2 : matrix.Entries[0].Operations.Count;
        return $"pairs  {matrix.Kernel}, {matrix.Model}: {Quantity.Count(matrix.Operations.Count, "operation")}, "
            + $"{Quantity.Count(pairs, size == 2 ? "pair" : "triple")}, {Quantity.Count(matrix.Entries.Count, "machine")}";
    }

    private static void WriteTable(MatrixReport matrix, TextWriter writer)
    {
        IReadOnlyList<string> table = MatrixTable.Lines(matrix);
        if (table.Count > 0)
        {
            writer.WriteLine();
            writer.WriteLines(table);
            writer.WriteLine();
            writer.WriteLine(Margin + MatrixTable.Legend);
        }
    }

    /// <summary>Of each pair that fails the machine with the shortest run; of the first pairs with its diagram.</summary>
    private static void WriteFailures(MatrixReport matrix, CheckDetail detail, TextWriter writer)
    {
        MatrixEntry[][] failures =
        [
            .. matrix.Entries.Where(entry => entry.Result.Verdict == Verdict.Violation)
                .GroupBy(entry => string.Join(" x ", entry.Operations))
                .Select(group => group.OrderBy(entry => entry.Result.Counterexample!.Steps.Count).ToArray())
                .OrderBy(group => group[0].Result.Counterexample!.Steps.Count),
        ];
        foreach (MatrixEntry[] failure in failures.Take(DiagramsMax))
        {
            writer.WriteLine();
            CheckText.Write(failure[0].Result, failure[0].Invocation, detail, writer);
            writer.WriteLines(Paragraph.Wrap(
                "fails on " + string.Join(", ", failure.Select(entry => entry.Machine)), Margin, Margin + Margin));
        }

        if (failures.Length > DiagramsMax)
        {
            writer.WriteLine();
            writer.WriteLine($"{failures.Length - DiagramsMax} more pairs fail; a pair's diagram: ./shootdown pairs OPERATION OPERATION");
            foreach (MatrixEntry[] failure in failures.Skip(DiagramsMax))
            {
                MatrixEntry entry = failure[0];
                writer.WriteLine($"{Margin}{string.Join(' ', entry.Operations)}  {entry.Result.Counterexample!.PropertyId}, {entry.Machine}");
            }
        }
    }

    private static void WriteCoverage(MatrixReport matrix, TextWriter writer)
    {
        MatrixEntry[] open = [.. matrix.Entries.Where(entry => entry.Result.Verdict is Verdict.Inconclusive or Verdict.Unsupported)];
        writer.WriteLine();
        writer.WriteLine("not covered");
        foreach (MatrixEntry entry in open)
        {
            writer.WriteLines(Paragraph.Wrap(
                $"{string.Join(" x ", entry.Operations)}, {entry.Machine}: {entry.Result.Reason}", Margin, Margin + Margin));
        }

        int nothing = matrix.Entries.Count(entry => entry.JudgedNothing);
        if (nothing > 0)
        {
            writer.WriteLines(Paragraph.Wrap(
                $"{Quantity.Count(nothing, "machine")} where nothing is promised and nothing freed: nothing was judged", Margin, Margin + Margin));
        }

        foreach (string hint in matrix.Hints)
        {
            writer.WriteLines(Paragraph.Wrap(hint, Margin, Margin + Margin));
        }
    }

    private static string Verdicts(MatrixReport matrix)
    {
        CheckReport[] reports = [.. matrix.Entries.Select(entry => entry.Result)];
        return $"{Quantity.Count(reports.Length + matrix.NotRun, "machine")}: {Summary.Counts(reports, matrix.NotRun)}; "
            + $"{Quantity.Count(reports.Sum(report => report.Stats.States), "state")}, {Quantity.Elapsed(matrix.ElapsedSeconds)}";
    }
}
