using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>The last line of a run with several checks.</summary>
public static class Summary
{
    /// <summary>
    /// E.g. <c>12 checks: 6 passes, 6 violations; all as the catalogue expects</c>; otherwise the surprises follow, one a line.
    /// </summary>
    public static IReadOnlyList<string> Lines(IReadOnlyList<CheckReport> reports, int notRun)
    {
        CheckReport[] surprises = [.. reports.Where(report => !VerdictLine.IsAsExpected(report))];
        string expectation = surprises.Length == 0
            ? "all as the catalogue expects"
            : $"{Quantity.Exact(surprises.Length)} NOT as the catalogue expects:";
        string head = $"{Quantity.Count(reports.Count + notRun, "check")}: {Counts(reports, notRun)}; {expectation}";
        return [.. Paragraph.Wrap(head, string.Empty, "  "), .. surprises.Select(Line)];
    }

    /// <summary>How many of each verdict there are, e.g. <c>6 passes, 1 violation, 2 not run</c>.</summary>
    internal static string Counts(IReadOnlyList<CheckReport> reports, int notRun)
    {
        var parts = new List<string>();
        AddCount(parts, reports, Verdict.Pass, "pass", "passes");
        AddCount(parts, reports, Verdict.Violation, "violation", "violations");
        AddCount(parts, reports, Verdict.Inconclusive, "inconclusive", "inconclusive");
        AddCount(parts, reports, Verdict.Unsupported, "unsupported", "unsupported");
        if (notRun > 0)
        {
            parts.Add($"{Quantity.Exact(notRun)} not run");
        }

        return string.Join(", ", parts);
    }

    private static string Line(CheckReport report)
        => $"  {report.ScenarioId} ({report.Variant}): {VerdictLine.Name(report.Verdict)}"
            + (report.Expected is { } expected ? $", expected {VerdictLine.Name(expected)}" : string.Empty);

    private static void AddCount(List<string> parts, IReadOnlyList<CheckReport> reports, Verdict verdict, string one, string many)
    {
        int count = reports.Count(report => report.Verdict == verdict);
        if (count > 0)
        {
            parts.Add(Quantity.Count(count, one, many));
        }
    }
}
