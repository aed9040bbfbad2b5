using System.Text.Json;

namespace Shootdown.Measure;

/// <summary>
/// Writes a timeline in the Trace Event format, which ui.perfetto.dev opens: a track for each CPU with the threads that run on
/// it, flushes as instants, arrows from a shootdown to the CPUs that it interrupts. Written as the trace is read.
/// </summary>
internal sealed class TimelineExport : IDisposable
{
    private readonly Utf8JsonWriter _writer;
    private readonly NameTable _names;
    private readonly Dictionary<int, (long StartNs, int Comm, long Tid)> _running = [];
    private readonly ShootdownTracker _open = new();
    private long _nextId = 1;
    private long _startNs = -1;
    private int _unflushed;

    /// <summary>Begins the document.</summary>
    public TimelineExport(Stream stream, NameTable names)
    {
        _names = names;
        _writer = new Utf8JsonWriter(stream);
        _writer.WriteStartObject();
        _writer.WriteString("displayTimeUnit", "ns");
        _writer.WriteStartArray("traceEvents");
    }

    /// <summary>Adds an event.</summary>
    public void Add(in TraceEvent next)
    {
        if (next.Cpu < 0 || next.Kind == TraceEventKind.StackFrame)
        {
            return;
        }

        if (ShootdownTracker.IsProgress(next))
        {
            _open.Close(next.Cpu);
        }

        _startNs = _startNs < 0 ? next.TimeNs : _startNs;
        switch (next.Kind)
        {
            case TraceEventKind.SchedSwitch:
                EndSlice(next.Cpu, next.TimeNs);
                if (next.A1 != 0)
                {
                    _running[next.Cpu] = (next.TimeNs, (int)next.A3, next.A1);
                }

                break;
            case TraceEventKind.TlbFlush when next.A0 != (long)FlushReason.TaskSwitch:
                AddFlush(next);
                break;
            default:
                break;
        }

        const int flushEvery = 1000;
        if (++_unflushed >= flushEvery)
        {
            _writer.Flush();
            _unflushed = 0;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _writer.WriteEndArray();
        _writer.WriteEndObject();
        _writer.Dispose();
    }

    private void AddFlush(in TraceEvent flush)
    {
        var reason = (FlushReason)flush.A0;
        string pages = flush.A1 == -1 ? "all" : $"{flush.A1} pages";
        Begin($"{reason} {pages}", "X", flush.Cpu, flush.TimeNs);
        _writer.WriteNumber("dur", 0.5);
        _writer.WriteEndObject();
        if (reason == FlushReason.RemoteSendIpi)
        {
            _open.Open(new OpenShootdown
            {
                Cause = new CauseRow { Cause = "" },
                Initiator = new ThreadRow { Comm = "", Tid = flush.Tid },
                Tid = flush.Tid,
                Cpu = flush.Cpu,
                SentNs = flush.TimeNs,
                Size = 0,
                IsSelected = true,
            });
        }
        else if (reason == FlushReason.RemoteShootdown && _open.Answer(flush.Cpu, flush.TimeNs) is { } shootdown)
        {
            long id = _nextId++;
            Arrow("s", shootdown.Cpu, shootdown.SentNs, id);
            Arrow("f", flush.Cpu, flush.TimeNs, id);
        }
    }

    private void Arrow(string phase, int cpu, long timeNs, long id)
    {
        Begin("shootdown", phase, cpu, timeNs);
        _writer.WriteNumber("id", id);
        if (phase == "f")
        {
            _writer.WriteString("bp", "e");
        }

        _writer.WriteString("cat", "tlb");
        _writer.WriteEndObject();
    }

    private void EndSlice(int cpu, long timeNs)
    {
        if (_running.Remove(cpu, out (long StartNs, int Comm, long Tid) slice))
        {
            Begin($"{_names[slice.Comm]}-{slice.Tid}", "X", cpu, slice.StartNs);
            _writer.WriteNumber("dur", Math.Max(0, timeNs - slice.StartNs) / 1e3);
            _writer.WriteEndObject();
        }
    }

    private void Begin(string name, string phase, int cpu, long timeNs)
    {
        _writer.WriteStartObject();
        _writer.WriteString("name", name);
        _writer.WriteString("ph", phase);
        _writer.WriteNumber("pid", 0);
        _writer.WriteNumber("tid", cpu);
        _writer.WriteNumber("ts", (timeNs - _startNs) / 1e3);
    }
}
