using System.Globalization;
using System.Text;

namespace Shootdown.Measure;

/// <summary>Flushes of one process of a trace, predicted and recorded.</summary>
/// <param name="Name">Its threads' name (that of the last event).</param>
/// <param name="Pid">Its number.</param>
/// <param name="Predicted">By the kernel code, from calls, faults and switches alone.</param>
/// <param name="Recorded">From tlb_flush events.</param>
public sealed record ProcessError(string Name, int Pid, FlushCounts Predicted, FlushCounts Recorded);

/// <summary>How far a replay is off, process by process: what docs/fidelity.md shows of recordings of whole systems.</summary>
public static class ProcessErrors
{
    /// <summary>Processes with the most flushes first. Reads the trace twice. Needs a format that names processes.</summary>
    /// <param name="path">The trace.</param>
    /// <param name="kernel">The kernel to replay.</param>
    /// <param name="hasSwap">False if the recorded machine had no swap.</param>
    public static IReadOnlyList<ProcessError> Of(string path, TimedProfile kernel, bool hasSwap)
    {
        var predicted = new List<PredictedFlush>();
        using (TraceReader reader = TraceReader.Open(path))
        {
            Replayer.Run(reader, path, new ReplayOptions { Kernel = kernel, HasSwap = hasSwap, OnPredicted = predicted.Add });
        }

        var processes = new Dictionary<int, ProcessError>();
        var pids = new Dictionary<int, int>();
        using (TraceReader reader = TraceReader.Open(path))
        {
            while (reader.TryRead(out TraceEvent next))
            {
                Count(next, reader.Names, processes, pids);
            }
        }

        foreach (PredictedFlush flush in predicted.Where(flush => pids.ContainsKey(flush.Tid)))
        {
            FlushCounts counts = processes[pids[flush.Tid]].Predicted;
            counts.LocalMm += flush.HasLocal ? 1 : 0;
            counts.SendIpi += flush.HasSendIpi ? 1 : 0;
            counts.Remote += flush.Remote;
        }

        return [.. processes.Values.OrderByDescending(row => row.Recorded.LocalMm).ThenBy(row => row.Pid)];
    }

    /// <summary>A table in Markdown: processes that have at least so many flushes, and all together.</summary>
    public static string Table(IReadOnlyList<ProcessError> rows, int flushesMin)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var text = new StringBuilder("| process | flushes | shootdowns | interrupts that flushed |\n|---|---|---|---|\n");
        foreach (ProcessError row in rows.Where(row => Math.Max(row.Predicted.LocalMm, row.Recorded.LocalMm) >= flushesMin))
        {
            Append(text, string.Create(CultureInfo.InvariantCulture, $"{row.Name} {row.Pid}"), row.Predicted, row.Recorded);
        }

        Append(text, "**all**", Sum(rows.Select(row => row.Predicted)), Sum(rows.Select(row => row.Recorded)));
        return text.ToString();
    }

    private static void Count(in TraceEvent next, NameTable names, Dictionary<int, ProcessError> processes, Dictionary<int, int> pids)
    {
        if (next.Pid <= 0 || next.Kind == TraceEventKind.StackFrame)
        {
            return;
        }

        pids[next.Tid] = next.Pid;
        if (!processes.TryGetValue(next.Pid, out ProcessError? process) || (next.Tid == next.Pid && process.Name != names[next.Comm]))
        {
            process = new ProcessError(names[next.Comm], next.Pid, process?.Predicted ?? new(), process?.Recorded ?? new());
            processes[next.Pid] = process;
        }

        if (next.Kind == TraceEventKind.TlbFlush)
        {
            process.Recorded.LocalMm += next.A0 == (long)FlushReason.LocalMmShootdown ? 1 : 0;
            process.Recorded.SendIpi += next.A0 == (long)FlushReason.RemoteSendIpi ? 1 : 0;
            process.Recorded.Remote += next.A0 == (long)FlushReason.RemoteShootdown ? 1 : 0;
        }
    }

    private static FlushCounts Sum(IEnumerable<FlushCounts> rows)
    {
        var sum = new FlushCounts();
        foreach (FlushCounts row in rows)
        {
            sum.LocalMm += row.LocalMm;
            sum.SendIpi += row.SendIpi;
            sum.Remote += row.Remote;
        }

        return sum;
    }

    private static void Append(StringBuilder text, string name, FlushCounts predicted, FlushCounts recorded)
        => text.Append(CultureInfo.InvariantCulture, $"| {name} | {Cell(predicted.LocalMm, recorded.LocalMm)} | ")
            .Append(CultureInfo.InvariantCulture, $"{Cell(predicted.SendIpi, recorded.SendIpi)} | {Cell(predicted.Remote, recorded.Remote)} |\n");

    private static string Cell(long predicted, long recorded)
        => string.Create(
            CultureInfo.InvariantCulture,
            $"{predicted} / {recorded}{(predicted == recorded || recorded == 0 ? "" : $" ({100.0 * (predicted - recorded) / recorded:+0.0;-0.0} %)")}");
}
