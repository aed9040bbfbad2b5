using Shootdown.Measure;
using static Shootdown.Report.ReplayWords;

namespace Shootdown.Report;

/// <summary>A replay as text of at most 100 columns.</summary>
public static class ReplayText
{
    private const int Width = 100;
    private const string Margin = "  ";
    private const int RowsMax = 12;
    private const int HeatCpusMax = 10;

    /// <summary>Writes the report.</summary>
    public static void Write(ReplayReport report, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(report);
        WriteHead(report, writer);
        if (report.Recorded is { } recorded)
        {
            WriteTotals(report, recorded, writer);
            WriteCauses(report, writer);
            WriteSizes(report, writer);
            WriteThreads(report, writer);
            WriteHeat(report, writer);
            WriteSites(report, writer);
        }
        else
        {
            WriteCalls(report, writer);
        }

        WritePrediction(report, writer);
        WritePolicies(report, writer);
        WriteList("Left out", report.Missing, writer);
        WriteList("Wrong with the trace", [.. report.Problems.Select(Problem)], writer);
    }

    private static void WriteHead(ReplayReport report, TextWriter writer)
    {
        string cpus = report.Cpus > 0 ? $", {Quantity.Count(report.Cpus, "CPU")}" : "";
        string size = $"{Quantity.Count(report.Lines, "line")}, {Quantity.Count(report.Events, "event")} in {Time(report.DurationNs)}{cpus}";
        string text = $"{Path.GetFileName(report.File)}: {Format(report.Format)}, {size}";
        writer.WriteLines(Paragraph.Wrap(text, "", Margin, Width));
        if (!report.Selection.IsAll)
        {
            writer.WriteLine($"{Selection(report.Selection)}: {Quantity.Count(report.SelectedEvents, "event")}");
        }
    }

    private static void WriteTotals(ReplayReport report, FlushCounts recorded, TextWriter writer)
    {
        long flushes = recorded.LocalMm + recorded.Local;
        long full = report.Causes.Sum(cause => cause.Full);
        long unanswered = report.Causes.Sum(cause => cause.Unanswered);
        long wait = report.Causes.Sum(cause => cause.WaitNs);
        long interrupted = report.Threads.Sum(thread => thread.InterruptedNs);
        long answered = recorded.SendIpi - unanswered;
        writer.WriteLine();
        writer.WriteLine("Recorded");
        Fact("flushes by initiators", Quantity.Exact(flushes), $"{Quantity.Exact(full)} full ({Share(full, flushes)}), {Quantity.Exact(flushes - full)} ranged");
        Fact("shootdowns", Quantity.Exact(recorded.SendIpi), "flushes that found other CPUs in the mask");
        bool wereLazy = report.Switches > 0 && report.WrongCpu == 0;
        Fact("  unanswered", Quantity.Exact(unanswered), wereLazy ? "all the others were lazy" : "no other CPU flushed: lazy, or switched away");
        Fact("interrupts that flushed", Quantity.Exact(recorded.Remote), $"{Ratio(recorded.Remote, recorded.SendIpi)} a shootdown");
        Fact("initiators waited", Time(wait), answered > 0 ? $"{Time(wait / answered)} a shootdown, until the last CPU had flushed" : "");
        if (interrupted > 0)
        {
            Fact("interrupted CPUs lost", Time(interrupted), $"{Time(interrupted / Math.Max(1, recorded.Remote))} an interrupt");
        }

        if (report.Switches > 0)
        {
            Fact("context switches", Quantity.Exact(report.Switches), $"{Quantity.Exact(report.LazySwitches)} to idle: the CPU turns lazy");
        }

        Fact("full flushes on a switch", Quantity.Exact(report.TaskSwitchFlushes), "the CPU had missed flushes or had no slot");
        if (report.Unmatched + report.WrongCpu > 0)
        {
            writer.WriteLines(Paragraph.Wrap(
                $"{Quantity.Exact(report.Unmatched)} interrupted CPUs belong to no shootdown of the trace, "
                + $"{Quantity.Count(report.WrongCpu, "flush request")} found the address space gone.",
                Margin,
                Margin,
                Width));
        }

        void Fact(string name, string value, string remark) => writer.WriteLine($"{Margin}{name,-27}{value,11}   {remark}".TrimEnd());
    }

    private static void WriteCauses(ReplayReport report, TextWriter writer)
    {
        var table = new NumberTable("By cause", "flushes", "full", "shootdowns", "unanswered", "interrupts", "waited") { NameWidthMax = 36 };
        foreach (CauseRow cause in report.Causes.Take(RowsMax))
        {
            table.Add(
                cause.Cause,
                Quantity.Exact(cause.Flushes),
                Quantity.Exact(cause.Full),
                Quantity.Exact(cause.Shootdowns),
                Quantity.Exact(cause.Unanswered),
                Quantity.Exact(cause.Remote),
                Time(cause.WaitNs));
        }

        Table(table, report.Causes.Count, writer);
    }

    private static void WriteSizes(ReplayReport report, TextWriter writer)
    {
        var table = new NumberTable("By size", "flushes", "shootdowns", "interrupts");
        SizeRow[] used = [.. report.Sizes.Where(size => size.Flushes + size.Shootdowns > 0)];
        foreach (SizeRow size in used)
        {
            table.Add(size.Name, Quantity.Exact(size.Flushes), Quantity.Exact(size.Shootdowns), Quantity.Exact(size.Remote));
        }

        Table(table, used.Length, writer);
    }

    private static void WriteThreads(ReplayReport report, TextWriter writer)
    {
        bool hasTimes = report.Threads.Any(thread => thread.InterruptedNs > 0);
        var table = new NumberTable(
            "By thread", "shootdowns", "interrupts others", "waited", "longest", "is interrupted", hasTimes ? "loses" : "");
        foreach (ThreadRow thread in report.Threads.Take(RowsMax))
        {
            table.Add(
                thread.Tid == 0 ? "idle" : $"{thread.Comm}-{thread.Tid}",
                Quantity.Exact(thread.Shootdowns),
                Quantity.Exact(thread.Sent),
                Time(thread.WaitNs),
                Time(thread.WaitMaxNs),
                Quantity.Exact(thread.Received),
                hasTimes ? Time(thread.InterruptedNs) : "");
        }

        Table(table, report.Threads.Count, writer);
    }

    private static void WriteHeat(ReplayReport report, TextWriter writer)
    {
        int[] cpus = [.. Enumerable.Range(0, report.Heat.Count).Where(cpu => report.Heat[cpu].Sum() + report.Heat.Sum(row => row[cpu]) > 0)];
        if (cpus.Length == 0)
        {
            return;
        }

        int[] shown = [.. cpus.Take(HeatCpusMax)];
        var table = new NumberTable(["Who interrupts whom", .. shown.Select(cpu => $"CPU {cpu}")]);
        foreach (int from in shown)
        {
            table.Add([$"CPU {from}", .. shown.Select(to => from == to ? "." : Quantity.Rounded(report.Heat[from][to]))]);
        }

        Table(table, shown.Length, writer);
        if (cpus.Length > shown.Length)
        {
            writer.WriteLine($"{Margin}and {cpus.Length - shown.Length} more CPUs (--html, --json)");
        }
    }

    private static void WriteSites(ReplayReport report, TextWriter writer)
    {
        var table = new NumberTable("By call site", "shootdowns") { NameWidthMax = 70 };
        foreach (SiteRow site in report.Sites.Take(RowsMax))
        {
            table.Add(site.Symbol, Quantity.Exact(site.Shootdowns));
        }

        Table(table, report.Sites.Count, writer);
    }

    private static void WriteCalls(ReplayReport report, TextWriter writer)
    {
        bool hasTimes = report.Calls.Any(call => call.TimeNs > 0);
        var table = new NumberTable("System calls", "calls", "pages", hasTimes ? "time in calls" : "");
        foreach (CallRow call in report.Calls.Take(RowsMax))
        {
            string time = call.TimeNs == 0 ? "-" : Time(call.TimeNs);
            table.Add(call.Call, Quantity.Exact(call.Count), Quantity.Exact(call.Pages), hasTimes ? time : "");
        }

        Table(table, report.Calls.Count, writer);
    }

    private static void WritePrediction(ReplayReport report, TextWriter writer)
    {
        if (report.Prediction is not { } prediction)
        {
            return;
        }

        FlushCounts predicted = prediction.Predicted;
        FlushCounts? recorded = prediction.Recorded;
        var table = new NumberTable($"Predicted by the kernel code of {prediction.Kernel}", "predicted", "recorded", "error");
        Add("flushes by initiators", predicted.LocalMm, recorded?.LocalMm);
        Add("shootdowns", predicted.SendIpi, recorded?.SendIpi);
        Add("interrupts that flushed", predicted.Remote, recorded?.Remote);
        Add("TLB interrupts", predicted.Interrupts ?? 0, prediction.RecordedInterrupts);
        Table(table, 0, writer);
        string unknown = prediction.NotModelled.Count == 0 ? "" : $" Not carried out: {NotModelled(prediction)}.";
        string note = $"From system calls, faults and switches alone. Lazy TLB mode saved {Quantity.Count(prediction.LazySpared, "interrupt")}.{unknown}";
        writer.WriteLines(Paragraph.Wrap(note, Margin, Margin, Width));

        void Add(string name, long value, long? truth)
            => table.Add(name, Quantity.Exact(value), truth is { } known ? Quantity.Exact(known) : "-", truth is { } real ? Error(value, real) : "-");
    }

    private static void WritePolicies(ReplayReport report, TextWriter writer)
    {
        if (report.Policies is not { } policies)
        {
            return;
        }

        var table = new NumberTable(PolicyCells.Heads(policies));
        foreach (string[] row in PolicyCells.Rows(policies))
        {
            table.Add(row);
        }

        Table(table, 0, writer);
        writer.WriteLines(Paragraph.Wrap(PolicyCells.Note(policies), Margin, Margin, Width));
    }

    private static void WriteList(string heading, IReadOnlyList<string> items, TextWriter writer)
    {
        if (items.Count == 0)
        {
            return;
        }

        writer.WriteLine();
        writer.WriteLine(heading);
        foreach (string item in items)
        {
            writer.WriteLines(Paragraph.Wrap(item, "  - ", "    ", Width));
        }
    }

    private static void Table(NumberTable table, int rows, TextWriter writer)
    {
        if (!table.HasRows)
        {
            return;
        }

        writer.WriteLine();
        table.Write(writer, "");
        if (rows > RowsMax)
        {
            writer.WriteLine($"{Margin}and {Quantity.Exact(rows - RowsMax)} more (--json)");
        }
    }
}
