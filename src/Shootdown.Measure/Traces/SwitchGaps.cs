namespace Shootdown.Measure;

/// <summary>
/// Finds holes in a trace: on each CPU a sched_switch leaves the task that the one before went to. Where one does not, events are
/// missing. A trace of some tasks only has every other switch missing; that is no hole.
/// </summary>
internal sealed class SwitchGaps
{
    private const int LinesMax = 5;

    /// <summary>Of so many switches at most one may be odd, or the trace is one of some tasks only.</summary>
    private const int SwitchesPerGap = 10;

    private readonly Dictionary<int, long> _running = [];
    private readonly List<long> _lines = [];
    private long _switches;
    private long _gaps;
    private string _detail = "";

    /// <summary>Takes an event.</summary>
    public void Add(in TraceEvent next, long line)
    {
        if (next.Kind != TraceEventKind.SchedSwitch || next.Cpu == TraceEvent.Unknown)
        {
            return;
        }

        ref long running = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_running, next.Cpu, out bool exists);
        _switches += exists ? 1 : 0;
        if (exists && running != next.A0)
        {
            _gaps++;
            _detail = _detail.Length > 0 ? _detail : $"CPU {next.Cpu} was switched to task {running} and switches away from task {next.A0}";
            if (_lines.Count < LinesMax)
            {
                _lines.Add(line);
            }
        }

        running = next.A1;
    }

    /// <summary>The holes; null if there are none.</summary>
    public TraceProblem? Problem
        => _gaps == 0 || _gaps * SwitchesPerGap > _switches ? null : new TraceProblem(TraceProblemKind.MissingEvents, _gaps, _lines, _detail);
}
