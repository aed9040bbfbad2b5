namespace Shootdown.Measure;

/// <summary>What a parser made of a line.</summary>
internal enum LineResult
{
    /// <summary>An event.</summary>
    Event,

    /// <summary>A blank line, header or comment.</summary>
    Nothing,

    /// <summary>Something that was put into the problems.</summary>
    Problem,

    /// <summary>No line of this format.</summary>
    Unreadable,
}

/// <summary>Reads lines of one format. Keeps no more than what a line needs of those before it.</summary>
internal abstract class TraceParser(NameTable names, TraceProblems problems)
{
    private readonly List<RecordedTask> _tasks = [];
    private readonly List<RecordedArea> _areas = [];

    /// <summary>Names of threads and events.</summary>
    protected NameTable Names { get; } = names;

    /// <summary>Where problems go.</summary>
    protected TraceProblems Problems { get; } = problems;

    /// <summary>Number of the line that is parsed, for problems.</summary>
    protected long LineNumber { get; private set; }

    /// <summary>The format, as far as it is known by now.</summary>
    public abstract TraceFormat Format { get; }

    /// <summary>Kernel version that the trace names; empty if it does not.</summary>
    public string KernelVersion { get; protected set; } = "";

    /// <summary>Settings of the recorded system that the trace tells.</summary>
    public RecordedSystem Settings { get; protected set; }

    /// <summary>Threads that were there when the recording began, as far as the trace tells; no more than that machine had.</summary>
    public IReadOnlyList<RecordedTask> Tasks => _tasks;

    /// <summary>What they had mapped, as far as the trace tells.</summary>
    public IReadOnlyList<RecordedArea> Areas => _areas;

    /// <summary>CPUs that the trace says there are; 0 if it does not say.</summary>
    public int Cpus { get; protected set; }

    /// <summary>Rows "TLB" of /proc/interrupts, the difference over the recording; null if the trace has none.</summary>
    public long? TlbInterrupts { get; protected set; }

    /// <summary>True once a line has told how long a call took.</summary>
    public bool HasDurations { get; protected set; }

    /// <summary>Parses a line.</summary>
    public LineResult Parse(ReadOnlySpan<byte> line, long number, out TraceEvent parsed)
    {
        LineNumber = number;
        parsed = new TraceEvent { Cpu = TraceEvent.Unknown, Pid = TraceEvent.Unknown };
        return ParseLine(line, ref parsed);
    }

    /// <summary>A further event of the line that was parsed last.</summary>
    public virtual bool TryTakeSecond(out TraceEvent second)
    {
        second = default;
        return false;
    }

    /// <summary>Notes a thread that was there.</summary>
    protected void Add(in RecordedTask task) => _tasks.Add(task);

    /// <summary>Notes an area that was there.</summary>
    protected void Add(in RecordedArea area) => _areas.Add(area);

    /// <summary>Parses a line.</summary>
    protected abstract LineResult ParseLine(ReadOnlySpan<byte> line, ref TraceEvent parsed);

    /// <summary>Notes a problem of this line.</summary>
    protected LineResult Problem(TraceProblemKind kind, string detail, long count = 1)
    {
        Problems.Add(kind, LineNumber, detail, count);
        return LineResult.Problem;
    }
}

/// <summary>Formats of traces.</summary>
public enum TraceFormat
{
    /// <summary>Text of <c>perf script</c>.</summary>
    PerfScript,

    /// <summary>Text of <c>trace-cmd report</c>.</summary>
    TraceCmd,

    /// <summary>Text of tracefs: <c>trace</c> or <c>trace_pipe</c>.</summary>
    Tracefs,

    /// <summary>Text of <c>strace -f</c> with times.</summary>
    Strace,

    /// <summary>Lines <c>ns cpu tid comm event key=value...</c>, as a bpftrace script prints them.</summary>
    Bpftrace,

    /// <summary>A recording of <c>shootdown record</c>.</summary>
    Recording,
}
