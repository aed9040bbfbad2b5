using System.Globalization;
using System.Net;
using Shootdown.Measure;
using static Shootdown.Report.ReplayWords;

namespace Shootdown.Report;

/// <summary>Runs of a workload as one HTML page with pictures that needs nothing else.</summary>
public static class MeasureHtml
{
    private const char NoBreak = '\u00a0';

    /// <summary>Writes the page.</summary>
    /// <param name="workload">The workload.</param>
    /// <param name="runs">Its runs, at least one.</param>
    /// <param name="notes">Lines under the title: what the runs have in common, what was left out.</param>
    /// <param name="writer">Where to.</param>
    public static void Write(Workload workload, IReadOnlyList<Measurement> runs, IReadOnlyList<string> notes, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(workload);
        ArgumentNullException.ThrowIfNull(runs);
        ArgumentNullException.ThrowIfNull(notes);
        ArgumentNullException.ThrowIfNull(writer);
        HtmlPage.Begin(writer, $"{workload.Name}: what TLB flushes cost");
        writer.WriteLine($"<p>{WebUtility.HtmlEncode(workload.Summary)}</p>");
        foreach (string note in notes)
        {
            writer.WriteLine($"<p class=\"dim\">{WebUtility.HtmlEncode(note)}</p>");
        }

        Section(writer, runs, $"{Capital(workload.Unit)} a second", run => PerSecond(run, run.Work), Quantity.Rounded);
        Section(writer, runs, "TLB interrupts a second", run => PerSecond(run, run.TlbInterrupts), Quantity.Rounded);
        Section(writer, runs, "Time of all CPUs that handlers take and senders wait, in percent", run => Percent(run, run.StolenNs + run.IpiWaitNs), Short);
        Section(writer, runs, "Time of all CPUs that is spent waiting for locks, in percent", run => Percent(run, run.LockWaitNs), Short);
        Section(
            writer, runs, "Memory kept from the allocator until TLBs are flushed, at most", run => run.HeldMaxBytes,
            bytes => Quantity.Bytes((long)bytes), isBytes: true);
        writer.WriteLine("<h2>All runs</h2>");
        HtmlPage.Table(
            writer,
            ["Policy", "CPUs", $"{workload.Unit} a second", "interrupts a second", "stolen", "IPI wait", "lock wait", "refills", "held at most", "held on average"],
            runs.Select(run => (string[])[.. Cells(run).Select(cell => cell.Replace(' ', NoBreak))]));
        HtmlPage.End(writer);
    }

    private static string[] Cells(Measurement run) =>
    [
        run.Policy, run.Cpus.ToString(CultureInfo.InvariantCulture), Quantity.Exact((long)PerSecond(run, run.Work)),
        Quantity.Exact((long)PerSecond(run, run.TlbInterrupts)), Invariant($"{Percent(run, run.StolenNs):0.0} %"),
        Invariant($"{Percent(run, run.IpiWaitNs):0.0} %"), Invariant($"{Percent(run, run.LockWaitNs):0.0} %"), Quantity.Exact(run.Refills),
        Quantity.Bytes(run.HeldMaxBytes), Quantity.Bytes(run.HeldAverageBytes),
    ];

    private static void Section(
        TextWriter writer, IReadOnlyList<Measurement> runs, string title, Func<Measurement, double> value, Func<double, string> text,
        bool isBytes = false)
    {
        writer.WriteLine($"<h2>{WebUtility.HtmlEncode(title)}</h2>");
        writer.WriteLine(runs.Any(run => value(run) > 0) ? MeasureCharts.Draw(runs, value, text, isBytes) : "<p>none</p>");
    }

    private static double PerSecond(Measurement run, long count) => count * 1e9 / run.DurationNs;

    private static double Percent(Measurement run, long nanoseconds) => 100.0 * nanoseconds / ((double)run.DurationNs * run.Cpus);

    private static string Short(double percent) => percent.ToString(percent < 10 ? "0.#" : "0", CultureInfo.InvariantCulture);

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];
}
