using System.Net;
using Shootdown.Measure;
using static Shootdown.Report.ReplayWords;

namespace Shootdown.Report;

/// <summary>A replay as one HTML page that needs nothing else: no script, no font, no file.</summary>
public static class ReplayHtml
{
    private const int RowsMax = 40;

    private const string Style = """
        :root { --ink: #1c2128; --dim: #5b6570; --line: #d5dae0; --ground: #fff; --sent: #2f6fb3; --received: #c4512d; --none: #f1f3f5 }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e4e8ec; --dim: #98a2ad; --line: #39424c; --ground: #14181d; --sent: #6aa7e8; --received: #ef8a63; --none: #1f252c }
        }
        body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 1040px; margin: 2rem auto; padding: 0 1rem }
        h1 { font-size: 1.35rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem } p { margin: .3rem 0 } .dim { color: var(--dim) }
        svg { max-width: 100%; height: auto; display: block } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
        th, td { text-align: right; padding: .18rem .8rem; border-bottom: 1px solid var(--line); font-weight: normal } th { color: var(--dim) }
        th:first-child, td:first-child { text-align: left; padding-left: 0 }
        .label, .small, .onheat { font: 12px system-ui, sans-serif; fill: var(--ink) } .small { font-size: 11px; fill: var(--dim) } .onheat { fill: #fff }
        .sent { fill: var(--sent) } .received, .heat { fill: var(--received) } .none { fill: var(--none) } .axis { stroke: var(--line) }
        .key { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 .9em }
        .warn { border-left: 4px solid var(--received); padding: .2rem .8rem; margin: 1rem 0 }
        """;

    /// <summary>Writes the page.</summary>
    public static void Write(ReplayReport report, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(report);
        string name = WebUtility.HtmlEncode(Path.GetFileName(report.File));
        writer.WriteLine($"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">");
        writer.WriteLine($"<title>TLB shootdowns: {name}</title>\n<style>\n{Style}\n</style></head><body>");
        writer.WriteLine($"<h1>TLB shootdowns: {name}</h1>");
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
            Table(writer, ["System call", "calls", "pages", "time in calls"], report.Calls.Take(RowsMax)
                .Select(call => new[] { call.Call, Quantity.Exact(call.Count), Quantity.Exact(call.Pages), Time(call.TimeNs) }));
        }

        WritePrediction(report, writer);
        WritePolicies(report, writer);
        if (report.Missing.Count > 0)
        {
            writer.WriteLine("<h2>Left out</h2>");
            writer.WriteLine(string.Join('\n', report.Missing.Select(missing => $"<p>{WebUtility.HtmlEncode(missing)}</p>")));
        }

        writer.WriteLine("</body></html>");
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
        Table(writer, ["Thread", "shootdowns", "interrupts others", "waited", "longest", "is interrupted", "loses"], report.Threads.Take(RowsMax)
            .Select(thread => new[]
            {
                thread.Tid == 0 ? "idle" : $"{thread.Comm}-{thread.Tid}", Quantity.Exact(thread.Shootdowns), Quantity.Exact(thread.Sent),
                Time(thread.WaitNs), Time(thread.WaitMaxNs), Quantity.Exact(thread.Received), thread.InterruptedNs > 0 ? Time(thread.InterruptedNs) : "-",
            }));
        writer.WriteLine("<h2>By size</h2>");
        Table(writer, ["Pages", "flushes", "shootdowns", "interrupts"], report.Sizes.Where(size => size.Flushes + size.Shootdowns > 0)
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
        Table(writer, ["", "predicted", "recorded", "error"], rows.Select(row => new[]
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
        Table(writer, PolicyCells.Heads(policies), PolicyCells.Rows(policies));
        writer.WriteLine($"<p class=\"dim\">{WebUtility.HtmlEncode(PolicyCells.Note(policies))}</p>");
    }

    private static void Table(TextWriter writer, string[] heads, IEnumerable<string[]> rows)
    {
        writer.WriteLine("<table><tr>" + string.Concat(heads.Select(head => $"<th>{head}</th>")) + "</tr>");
        foreach (string[] row in rows)
        {
            writer.WriteLine("<tr>" + string.Concat(row.Select(cell => $"<td>{WebUtility.HtmlEncode(cell)}</td>")) + "</tr>");
        }

        writer.WriteLine("</table>");
    }
}
