using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>The first line of a result, which says all that a hurried reader wants.</summary>
public static class VerdictLine
{
    /// <summary>E.g. <c>VIOLATION  madv-dontneed-parallel (bug)  P-ret</c>.</summary>
    public static string Of(CheckReport report)
    {
        string properties = report.Counterexample?.PropertyId
            ?? string.Join(", ", report.Coverage.Select(coverage => coverage.PropertyId));
        return $"{Name(report.Verdict).ToUpperInvariant()}  {report.ScenarioId} ({report.Variant})  {properties}".TrimEnd();
    }

    /// <summary>The line that a surprise gets; null if the verdict is the catalogue's, or the catalogue has none.</summary>
    public static string? Surprise(CheckReport report) => IsAsExpected(report)
        ? null
        : $"UNEXPECTED: the catalogue expects {Name(report.Expected!.Value)} for the {report.Variant} under {report.Model}";

    /// <summary>True unless the catalogue says something else.</summary>
    public static bool IsAsExpected(CheckReport report) => report.Expected is null || report.Expected == report.Verdict;

    /// <summary>The verdict in lower case, as in JSON.</summary>
    public static string Name(Verdict verdict) => verdict switch
    {
        Verdict.Pass => "pass",
        Verdict.Violation => "violation",
        Verdict.Inconclusive => "inconclusive",
        _ => "unsupported",
    };
}
