using System.Net;
using Shootdown.Measure;
using static Shootdown.Report.ReplayWords;

namespace Shootdown.Report;

/// <summary>A replay as one HTML page that needs nothing else: no script, no font, no file.</summary>
public static class ReplayHtml
{
    private const int RowsMax = 40;

    /// <summary>Writes the page.</summary>
    public static void Write(ReplayReport report, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(report);
        HtmlPage.Begin(writer, $"TLB shootdowns: {Path.GetFileName(report.File)}");
        string cpus = report.Cpus > 0 ? $", {Quantity.Count(report.Cpus, "CPU")}" : "";
        writer.WriteLine($"<p class=\"dim\">{Format(report.Format)}, {Quantity.Count(report.Events, "event")} in {Time(report.DurationNs)}{cpus}"
            + $"{(report.Selection.IsAll ? "" : "; " + WebUtility.HtmlEncode(Selection(report.Selection)))}</p>");
        foreach (TraceProblem problem in report.Problems)
        {
            writer.WriteLine($"<p class=\"warn\">{WebUtility.HtmlEncode(Problem(problem))}</p>");
        }

        if (report.Recorded is { } recorded)
        {
            WriteRecorded(report, recorded, writer);
        }
        else
        {
            HtmlPage.Table(writer, ["System call", "calls", "pages", "time in calls"], report.Calls.Take(RowsMax)
                .Select(call => new[] { call.Call, Quantity.Exact(call.Count), Quantity.Exact(call.Pages), Time(call.TimeNs) }));
        }

        WritePrediction(report, writer);
        WritePolicies(report, writer);
        if (report.Missing.Count > 0)
        {
            writer.WriteLine("<h2>Left out</h2>");
            writer.WriteLine(string.Join('\n', report.Missing.Select(missing => $"<p>{WebUtility.HtmlEncode(missing)}</p>")));
        }

        HtmlPage.End(writer);
    }

    private static void WriteRecorded(ReplayReport report, FlushCounts recorded, TextWriter writer)
    {
        const string key = "<span class=\"key\" style=\"background:var(--{0})\"></span>{1}";
        long full = report.Causes.Sum(cause => cause.Full);
        writer.WriteLine($"<p>{Quantity.Exact(recorded.LocalMm + recorded.Local)} flushes ({Share(full, recorded.LocalMm + recorded.Local)} full), "
            + $"{Quantity.Exact(recorded.SendIpi)} of them with other CPUs in the mask, {Quantity.Exact(recorded.Remote)} interrupts that flushed; "
            + $"initiators waited {Time(report.Causes.Sum(cause => cause.WaitNs))}.</p>");
        if (report.Causes.Count > 0)
        {
            writer.WriteLine("<h2>By cause</h2>");
            writer.WriteLine(ReplayCharts.Causes(report.Causes));
        }

        if (report.Timeline is { } timeline && timeline.Sent.Any(row => row.Sum() > 0))
        {
            writer.WriteLine("<h2>Over time</h2>\n<p class=\"dim\">" + string.Format(null, key, "sent", "shootdowns that begin on the CPU")
                + string.Format(null, key, "received", "interrupts that make it flush") + "; heights by square root</p>");
            writer.WriteLine(ReplayCharts.Timeline(timeline));
        }

        if (report.Heat.Any(row => row.Sum() > 0))
        {
            writer.WriteLine("<h2>Who interrupts whom</h2>");
            writer.WriteLine(ReplayCharts.Heat(report.Heat));
        }

        writer.WriteLine("<h2>By thread</h2>");
        HtmlPage.Table(writer, ["Thread", "shootdowns", "interrupts others", "waited", "longest", "is interrupted", "loses"], report.Threads.Take(RowsMax)
            .Select(thread => new[]
            {
                thread.Tid == 0 ? "idle" : $"{thread.Comm}-{thread.Tid}", Quantity.Exact(thread.Shootdowns), Quantity.Exact(thread.Sent),
                Time(thread.WaitNs), Time(thread.WaitMaxNs), Quantity.Exact(thread.Received), thread.InterruptedNs > 0 ? Time(thread.InterruptedNs) : "-",
            }));
        writer.WriteLine("<h2>By size</h2>");
        HtmlPage.Table(writer, ["Pages", "flushes", "shootdowns", "interrupts"], report.Sizes.Where(size => size.Flushes + size.Shootdowns > 0)
            .Select(size => new[] { size.Name, Quantity.Exact(size.Flushes), Quantity.Exact(size.Shootdowns), Quantity.Exact(size.Remote) }));
    }

    private static void WritePrediction(ReplayReport report, TextWriter writer)
    {
        if (report.Prediction is not { } prediction)
        {
            return;
        }

        (string, long, long?)[] rows =
        [
            ("flushes by initiators", prediction.Predicted.LocalMm, prediction.Recorded?.LocalMm),
            ("shootdowns", prediction.Predicted.SendIpi, prediction.Recorded?.SendIpi),
            ("interrupts that flushed", prediction.Predicted.Remote, prediction.Recorded?.Remote),
            ("TLB interrupts", prediction.Predicted.Interrupts ?? 0, prediction.RecordedInterrupts),
        ];
        writer.WriteLine($"<h2>Predicted by the kernel code of {prediction.Kernel}</h2>");
        HtmlPage.Table(writer, ["", "predicted", "recorded", "error"], rows.Select(row => new[]
        {
            row.Item1, Quantity.Exact(row.Item2), row.Item3 is { } truth ? Quantity.Exact(truth) : "-", row.Item3 is { } real ? Error(row.Item2, real) : "-",
        }));
    }

    private static void WritePolicies(ReplayReport report, TextWriter writer)
    {
        if (report.Policies is not { } policies)
        {
            return;
        }

        writer.WriteLine("<h2>By policy</h2>");
        writer.WriteLine(ReplayCharts.Policies(policies));
        HtmlPage.Table(writer, PolicyCells.Heads(policies), PolicyCells.Rows(policies));
        writer.WriteLine($"<p class=\"dim\">{WebUtility.HtmlEncode(PolicyCells.Note(policies))}</p>");
    }
}
