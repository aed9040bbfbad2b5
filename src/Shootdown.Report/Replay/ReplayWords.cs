using System.Globalization;
using Shootdown.Measure;

namespace Shootdown.Report;

/// <summary>Numbers and names of a replay in words, the same in text and in HTML.</summary>
internal static class ReplayWords
{
    private const double NsPerUs = 1e3;
    private const double NsPerMs = 1e6;
    private const double NsPerSecond = 1e9;

    /// <summary>A time: <c>950 ns</c>, <c>12.3 us</c>, <c>4.1 ms</c>, <c>2.50 s</c>.</summary>
    public static string Time(long ns) => ns switch
    {
        < 1_000 => Invariant($"{ns} ns"),
        < 1_000_000 => Invariant($"{ns / NsPerUs:0.0} us"),
        < 1_000_000_000 => Invariant($"{ns / NsPerMs:0.0} ms"),
        _ => Invariant($"{ns / NsPerSecond:0.00} s"),
    };

    /// <summary>A share: <c>83 %</c>; "-" of nothing.</summary>
    public static string Share(long part, long whole) => whole == 0 ? "-" : Invariant($"{100.0 * part / whole:0} %");

    /// <summary>A ratio with one digit; "-" of nothing.</summary>
    public static string Ratio(long part, long whole) => whole == 0 ? "-" : Invariant($"{(double)part / whole:0.0}");

    /// <summary>How far a prediction is off: <c>+1.3 %</c>, <c>exact</c>; the difference if nothing was recorded.</summary>
    public static string Error(long predicted, long recorded)
        => predicted == recorded ? "exact"
            : recorded == 0 ? Invariant($"{predicted:+0;-0}")
            : Invariant($"{100.0 * (predicted - recorded) / recorded:+0.0;-0.0} %");

    /// <summary>The format's name.</summary>
    public static string Format(TraceFormat format) => format switch
    {
        TraceFormat.PerfScript => "perf script",
        TraceFormat.TraceCmd => "trace-cmd report",
        TraceFormat.Tracefs => "tracefs",
        TraceFormat.Strace => "strace",
        TraceFormat.Bpftrace => "bpftrace",
        _ => "shootdown record",
    };

    /// <summary>What was selected.</summary>
    public static string Selection(ReplaySelection selection)
    {
        string process = selection.Pid is { } pid ? $"process {pid}" : "";
        string threads = selection.Comm is { } comm ? $"threads named {comm}*" : "";
        return string.Join(", ", new[] { process, threads }.Where(text => text.Length > 0));
    }

    /// <summary>What of a trace the kernel library has no form for, the most frequent first.</summary>
    public static string NotModelled(PredictionRow prediction)
        => string.Join(", ", prediction.NotModelled.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => $"{Quantity.Exact(pair.Value)} {pair.Key}"));

    /// <summary>One problem: what, how often, where, and what it means for the figures.</summary>
    public static string Problem(TraceProblem problem)
    {
        string more = problem.Count > problem.Lines.Count && !IsLoss(problem) ? ", ..." : "";
        string lines = problem.Lines.Count == 0 ? "" : $" (line {string.Join(", ", problem.Lines)}{more})";
        string what = problem.Kind switch
        {
            TraceProblemKind.UnreadableLine => $"{Quantity.Count(problem.Count, "line")} skipped that are no events",
            TraceProblemKind.MissingField => $"{Quantity.Count(problem.Count, "event")} skipped that lack a field",
            TraceProblemKind.LineTooLong => $"{Quantity.Count(problem.Count, "line")} skipped that are too long",
            TraceProblemKind.LostEvents => $"{Quantity.Count(problem.Count, "event")} lost by the recorder: all totals are too low",
            TraceProblemKind.OverwrittenEvents => $"{Quantity.Count(problem.Count, "event")} overwritten before the ring was read: the beginning is missing",
            TraceProblemKind.MissingEvents => $"{Quantity.Count(problem.Count, "gap")}: events are missing, all totals are too low",
            TraceProblemKind.BackwardTime => $"{Quantity.Count(problem.Count, "event")} older than the one before: causes, waits and predictions may be wrong",
            TraceProblemKind.ClockJump => $"{Quantity.Count(problem.Count, "jump")} of the clock: two clocks were mixed, times are meaningless",
            TraceProblemKind.ClockWithoutUnit => $"{Quantity.Count(problem.Count, "event")} skipped whose time has no unit",
            TraceProblemKind.UnknownReason => $"{Quantity.Count(problem.Count, "flush", "flushes")} with a reason that no known kernel has: not in the totals",
            TraceProblemKind.Truncated => "the trace is cut off: what came after is not in the totals",
            _ => $"{Quantity.Count(problem.Count, "time")} with a decimal comma, read as a point",
        };
        return $"{what}{lines}: {problem.Detail}";
    }

    /// <summary>A formatted number in no culture.</summary>
    public static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static bool IsLoss(TraceProblem problem) => problem.Kind is TraceProblemKind.LostEvents or TraceProblemKind.OverwrittenEvents;
}
