using System.Text;
using System.Text.RegularExpressions;

namespace Shootdown.Measure;

/// <summary>Says of a text that is nearly a trace what it lacks, and which option of its tool adds that.</summary>
internal static partial class FormatHints
{
    private const int LinesMax = 100;
    private const string PerfFields = "perf script -F comm,pid,tid,cpu,time,event,trace --ns";

    private static readonly (Regex Line, string Hint)[] Hints =
    [
        (StraceWithoutTime(), "this is strace's text without times; record with strace -f -ttt -T"),
        (LatencyFormat(), "this is tracefs's text in its latency format; clear options/latency-format (trace-cmd report without -l) and record again"),
        (PerfDeltas(), "this is perf script's text with the times between events; print it without --deltatime"),
        (PerfWithoutCpu(), $"this is perf script's text without CPUs; print it with {PerfFields}"),
        (PerfWithoutEvent(), $"this is perf script's text without the events' names; print it with {PerfFields}"),
        (PerfWithoutTask(), $"this is perf script's text without names or numbers of threads; print it with {PerfFields}"),
    ];

    /// <summary>What the text lacks; null if it is not known.</summary>
    public static string? For(ReadOnlySpan<byte> start)
    {
        int[] counts = new int[Hints.Length];
        foreach (string line in Encoding.Latin1.GetString(start).Split('\n').Take(LinesMax))
        {
            int found = Array.FindIndex(Hints, hint => hint.Line.IsMatch(line));
            if (found >= 0)
            {
                counts[found]++;
            }
        }

        int best = Array.IndexOf(counts, counts.Max());
        return counts[best] == 0 ? null : Hints[best].Hint;
    }

    [GeneratedRegex(@"^(\[pid +\d+(<[^>]*>)?\] |\d+(<[^>]*>)? +)?[a-z_0-9]+\(.*(\) += |<unfinished \.\.\.>)")]
    private static partial Regex StraceWithoutTime();

    [GeneratedRegex(@"^# latency trace|^ *\S.*-\d+ +\d+[.dDbnNpHhsSB]\S{2,5} +(\d+us[ :!+#*@$]|\d+\.\d+: )")]
    private static partial Regex LatencyFormat();

    [GeneratedRegex(@" \[\d+\] +\+\d+\.\d+: ")]
    private static partial Regex PerfDeltas();

    [GeneratedRegex(@"^ *\S.* +\d+/\d+ +\d+\.\d+: +\w+:\w+: ")]
    private static partial Regex PerfWithoutCpu();

    [GeneratedRegex(@"^ *\S.* \[\d+\] +\d+\.\d+: +(?!\w+:\w+:)\w+[:=]\S+ ")]
    private static partial Regex PerfWithoutEvent();

    [GeneratedRegex(@"^ *(\S.* +)?(\d+(/\d+)? +)?\[\d+\] +\d+\.\d+: +\w+:\w+: ")]
    private static partial Regex PerfWithoutTask();
}
