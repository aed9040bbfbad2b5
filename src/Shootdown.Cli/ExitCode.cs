using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>What the process returns to its caller; part of the interface and documented in the help.</summary>
internal static class ExitCode
{
    public const int Pass = (int)Verdict.Pass;
    public const int Violation = (int)Verdict.Violation;
    public const int Inconclusive = (int)Verdict.Inconclusive;
    public const int Unsupported = (int)Verdict.Unsupported;

    /// <summary>The command line makes no sense (EX_USAGE of sysexits.h).</summary>
    public const int Usage = 64;

    /// <summary>A defect of this program (EX_SOFTWARE).</summary>
    public const int Internal = 70;

    /// <summary>What a run amounts to: a violation outweighs what could not run, and that what was not settled.</summary>
    public static int Of(IReadOnlyList<CheckReport> reports)
    {
        int[] heaviestFirst = [Violation, Unsupported, Inconclusive];
        return heaviestFirst.FirstOrDefault(code => reports.Any(report => (int)report.Verdict == code), Pass);
    }

    /// <summary>For <c>--expect</c>: 0 if every verdict is the catalogue's.</summary>
    public static int AgainstExpectations(IReadOnlyList<CheckReport> reports)
        => reports.All(VerdictLine.IsAsExpected) ? Pass : Violation;
}
