using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>The first line of a result, which says all that a hurried reader wants.</summary>
public static class VerdictLine
{
    /// <summary>E.g. <c>VIOLATION  madv-dontneed-parallel (bug)  P-ret</c>.</summary>
    public static string Of(CheckReport report)
    {
        IEnumerable<PropertyCoverage> judged = report.Coverage.Where(c => c.TimesExercised > 0 || report.Verdict == Verdict.Inconclusive);
        string properties = report.Counterexample is { PropertyId.Length: > 0 } run
            ? run.PropertyId
            : string.Join(", ", judged.Select(coverage => coverage.PropertyId));
        return $"{Name(report.Verdict).ToUpperInvariant()}  {report.ScenarioId} ({report.Variant})  {properties}".TrimEnd();
    }

    /// <summary>The line that a surprise gets; null if the verdict is the catalogue's, or the catalogue has none.</summary>
    public static string? Surprise(CheckReport report) => IsAsExpected(report)
        || report.Expected is not { } expected
            ? null
            : $"{(IsAnswer(report.Verdict) ? "UNEXPECTED" : "NOT SETTLED")}: the catalogue expects {Name(expected)} "
                + $"for the {report.Variant} under {report.Model}";

    /// <summary>True if the verdict is the catalogue's; where that says nothing, if there is an answer at all.</summary>
    public static bool IsAsExpected(CheckReport report)
        => report.Expected is { } expected ? report.Verdict == expected : IsAnswer(report.Verdict);

    private static bool IsAnswer(Verdict verdict) => verdict is Verdict.Pass or Verdict.Violation;

    /// <summary>The verdict in lower case, as in JSON.</summary>
    public static string Name(Verdict verdict) => verdict switch
    {
        Verdict.Pass => "pass",
        Verdict.Violation => "violation",
        Verdict.Inconclusive => "inconclusive",
        _ => "unsupported",
    };
}
