using System.Text.Json;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// Writes what happens on a timed machine in the Trace Event format, which ui.perfetto.dev opens: a track for each CPU with its calls and
/// handlers, flushes as instants. Written as the machine runs, up to a number of events.
/// </summary>
public sealed class TimelineWriter : ITimedTrace, IDisposable
{
    private const int EventsMax = 2_000_000;
    private const int FlushBytes = 1 << 16;
    private const double NsPerMicrosecond = 1000;
    private readonly Utf8JsonWriter _writer;
    private int _events;

    /// <summary>Begins the document.</summary>
    public TimelineWriter(Stream stream)
    {
        _writer = new Utf8JsonWriter(stream);
        _writer.WriteStartObject();
        _writer.WriteString("displayTimeUnit", "ns");
        _writer.WriteStartArray("traceEvents");
    }

    /// <summary>Events that were left out because there were too many.</summary>
    public long LeftOut { get; private set; }

    /// <inheritdoc/>
    public void TlbFlush(Cpu cpu, long time, TlbFlushReason reason, long pages)
    {
        if (reason == TlbFlushReason.TaskSwitch && pages == 0)
        {
            return;
        }

        string name = pages < 0 ? $"tlb_flush all, {reason}" : $"tlb_flush {pages}, {reason}";
        Write(cpu, "i", name, "flush", time, -1);
    }

    /// <inheritdoc/>
    public void IpiSent(Cpu cpu, long time, CpuSet targets)
        => Write(cpu, "i", $"IPI to {targets.Count} CPUs", "ipi", time, -1);

    /// <inheritdoc/>
    public void Handler(Cpu cpu, long start, long end, Cpu sender)
    {
        ArgumentNullException.ThrowIfNull(sender);
        Write(cpu, "X", $"flush_tlb_func for CPU{sender.Index}", "interrupt", start, end - start);
    }

    /// <inheritdoc/>
    public void Span(Cpu cpu, long start, long end, string name) => Write(cpu, "X", name, "call", start, end - start);

    /// <summary>Ends the document.</summary>
    public void Dispose()
    {
        _writer.WriteEndArray();
        _writer.WriteEndObject();
        _writer.Dispose();
    }

    private void Write(Cpu cpu, string phase, string name, string category, long start, long duration)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        if (_events++ >= EventsMax)
        {
            LeftOut++;
            return;
        }

        _writer.WriteStartObject();
        _writer.WriteString("ph", phase);
        _writer.WriteString("name", name);
        _writer.WriteString("cat", category);
        _writer.WriteNumber("pid", 0);
        _writer.WriteNumber("tid", cpu.Index);
        _writer.WriteNumber("ts", start / NsPerMicrosecond);
        if (duration >= 0)
        {
            _writer.WriteNumber("dur", duration / NsPerMicrosecond);
        }
        else
        {
            _writer.WriteString("s", "t");
        }

        _writer.WriteEndObject();
        if (_writer.BytesPending > FlushBytes)
        {
            _writer.Flush();
        }
    }
}
