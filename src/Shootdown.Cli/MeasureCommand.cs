using System.Globalization;
using System.Text.Json;
using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Runs a workload on the timed machine, for each number of CPUs and each flush design.</summary>
internal sealed class MeasureCommand(CliHost host, MeasureRequest request)
{
    private const double NsPerMs = 1e6;
    private static readonly JsonSerializerOptions JsonNames = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, WriteIndented = true };

    /// <summary>Runs it; returns the exit code.</summary>
    public int Run()
    {
        if (request.Workload is not { } workload)
        {
            List();
            return ExitCode.Pass;
        }

        var runs = new List<Measurement>();
        foreach (FlushPolicy policy in request.Policies)
        {
            foreach (int cpus in request.Cpus)
            {
                runs.Add(RunOne(workload, policy, cpus));
            }
        }

        if (request.Html is { } html)
        {
            WriteHtml(html, workload, runs);
        }

        if (request.Json)
        {
            var document = new { Schema = "shootdown/measure/1", CommandLine.Version, request.Seed, Costs = request.Costs.Name, Runs = runs };
            host.Out.WriteLine(JsonSerializer.Serialize(document, JsonNames));
        }
        else if (request.Csv)
        {
            WriteCsv(runs);
        }
        else
        {
            WriteTable(runs);
        }

        return ExitCode.Pass;
    }

    private static string[] Cells(Measurement run) =>
    [
        run.Policy, Whole(run.Cpus), Whole((long)(run.Work * 1e9 / run.DurationNs)), Whole((long)(run.TlbInterrupts * 1e9 / run.DurationNs)),
        Share(run, run.StolenNs), Share(run, run.IpiWaitNs), Share(run, run.LockWaitNs), Share(run, run.RefillNs), Whole(run.FullFlushes),
        Whole(run.PageFlushes), Whole(run.Refills), Kilobytes(run.HeldMaxBytes), Kilobytes(run.HeldAverageBytes),
    ];

    private static string Kilobytes(long bytes) => Whole((bytes + 1023) / 1024);

    private static string Whole(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>Percent of all CPUs' time.</summary>
    private static string Share(Measurement run, long nanoseconds)
        => (100.0 * nanoseconds / ((double)run.DurationNs * run.Cpus)).ToString("0.0", CultureInfo.InvariantCulture);

    private Measurement RunOne(Workload workload, FlushPolicy policy, int cpus)
    {
        long duration = (long)(request.Time.TotalMilliseconds * NsPerMs);
        if (request.TraceOut is not { } path)
        {
            return Measurement.Run(workload, policy, cpus, duration, request.Seed, request.Costs);
        }

        using OutputStream stream = OutputStream.Create("--trace-out", path);
        using var timeline = new TimelineWriter(stream);
        Measurement run = Measurement.Run(workload, policy, cpus, duration, request.Seed, request.Costs, timeline);
        if (timeline.LeftOut > 0)
        {
            host.Error.WriteLine($"shootdown: {path} holds the first 2000000 events; {timeline.LeftOut} were left out: use a shorter --time");
        }

        return run;
    }

    private void WriteHtml(string path, Workload workload, List<Measurement> runs)
    {
        using var page = new StreamWriter(OutputStream.Create("--html", path)) { NewLine = "\n" };
        MeasureHtml.Write(workload, runs, [Conditions(runs), .. LeftOut()], page);
    }

    private string Conditions(List<Measurement> runs) => string.Create(
        CultureInfo.InvariantCulture,
        $"{runs[0].DurationNs / NsPerMs:0.0} ms of virtual time, seed {request.Seed}, {request.Costs.Name}; work in {Workload.Find(runs[0].Workload)!.Unit}");

    private IEnumerable<string> LeftOut()
        => request.AllPolicies ? FlushPolicy.LeftOut.Select(policy => $"left out: {policy.Name}: {policy.Reason}") : [];

    private void List()
    {
        host.Out.WriteLine("workloads:");
        foreach (Workload workload in Workload.All)
        {
            host.Out.WriteLine($"  {workload.Name,-18} {workload.Summary}");
        }

        host.Out.WriteLine();
        host.Out.WriteLine("policies:");
        foreach (FlushPolicy policy in FlushPolicy.All)
        {
            host.Out.WriteLine($"  {policy.Name,-18} {policy.Summary}");
        }
    }

    private void WriteTable(List<Measurement> runs)
    {
        host.Out.WriteLine($"{runs[0].Workload}: {Conditions(runs)}");
        host.Out.WriteLine();
        string[][] lines =
        [
            ["policy", "CPUs", "work/s", "irq/s", "stolen %", "IPI wait %", "lock %", "refill %", "full", "pages", "refills", "held KiB", "avg KiB"],
            .. runs.Select(Cells),
        ];
        int[] widths = [.. Enumerable.Range(0, lines[0].Length).Select(column => lines.Max(line => line[column].Length))];
        foreach (string[] line in lines)
        {
            host.Out.WriteLine(string.Join("  ", line.Select((cell, column) =>
                column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]))).TrimEnd());
        }

        host.Out.WriteLine();
        host.Out.WriteLine("Percent of the time of all CPUs: stolen by flush handlers, waiting for answers to IPIs, waiting for");
        host.Out.WriteLine("locks, and walks for translations that a flush took away. Held: memory that nothing maps any more and");
        host.Out.WriteLine("that is kept until TLBs have been flushed, at most and on average.");
        foreach (string line in LeftOut())
        {
            host.Out.WriteLine(line);
        }
    }

    private void WriteCsv(List<Measurement> runs)
    {
        host.Out.WriteLine(
            "workload,policy,cpus,duration_ns,work,calls,tlb_interrupts,stolen_ns,ipi_wait_ns,lock_wait_ns,full_flushes,page_flushes,"
            + "refills,refill_ns,faults,broadcasts,held_max_bytes,held_average_bytes");
        foreach (Measurement run in runs)
        {
            host.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{run.Workload},{run.Policy},{run.Cpus},{run.DurationNs},{run.Work},{run.Calls},{run.TlbInterrupts},{run.StolenNs},"
                + $"{run.IpiWaitNs},{run.LockWaitNs},{run.FullFlushes},{run.PageFlushes},{run.Refills},{run.RefillNs},{run.Faults},"
                + $"{run.Broadcasts},{run.HeldMaxBytes},{run.HeldAverageBytes}"));
        }
    }
}
