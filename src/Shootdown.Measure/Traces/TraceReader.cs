namespace Shootdown.Measure;

/// <summary>
/// Reads a trace event by event. The format is detected from its beginning, compressed or not. Memory does not grow
/// with the length. Lines that cannot be read are counted and named in <see cref="Problems"/>.
/// </summary>
public sealed class TraceReader : IDisposable
{
    /// <summary>A step of the clock between two lines that means that two clocks were mixed: 30 days.</summary>
    private const long ClockJumpNs = 30L * 86_400 * 1_000_000_000;

    /// <summary>The largest NR_CPUS that x86 can be configured with: a higher number of a CPU is none.</summary>
    private const int CpusMax = 8192;

    private const int ProbeLines = 400;
    private readonly Stream _source;
    private readonly TraceLines _lines;
    private readonly TraceParser _parser;
    private readonly Dictionary<int, long> _lastTimes = [];
    private readonly SwitchGaps _gaps = new();
    private long _lastTime = -1;
    private bool _hasSecond;
    private bool _isClosed;

    private TraceReader(Stream source, TraceLines lines, NameTable names, TraceProblems problems, TraceParser parser)
    {
        _source = source;
        _lines = lines;
        Names = names;
        Problems = problems;
        _parser = parser;
    }

    /// <summary>The format, as far as lines that were read show it.</summary>
    public TraceFormat Format => _parser.Format;

    /// <summary>Names of threads, calls and symbols.</summary>
    public NameTable Names { get; }

    /// <summary>What is wrong with the trace, up to the line that was read last.</summary>
    public TraceProblems Problems { get; }

    /// <summary>Lines read.</summary>
    public long Lines => _lines.Number;

    /// <summary>How much of the file has been read, from 0 to 1; null for a pipe.</summary>
    public double? Share => _source.CanSeek && _source.Length > 0 ? (double)_source.Position / _source.Length : null;

    /// <summary>CPUs that the trace says there are; 0 if it does not say.</summary>
    public int Cpus => _parser.Cpus;

    /// <summary>True once a call has told how long it took (strace -T).</summary>
    public bool HasDurations => _parser.HasDurations;

    /// <summary>Kernel version that the trace names; empty if it does not.</summary>
    public string KernelVersion => _parser.KernelVersion;

    /// <summary>Threads that were there when the recording began, as far as the trace tells.</summary>
    public IReadOnlyList<RecordedTask> Tasks => _parser.Tasks;

    /// <summary>What they had mapped, as far as the trace tells.</summary>
    public IReadOnlyList<RecordedArea> Areas => _parser.Areas;

    /// <summary>Settings of the recorded system that the trace tells.</summary>
    public RecordedSystem Settings => _parser.Settings;

    /// <summary>TLB interrupts that the kernel itself counted during the recording; null if the trace does not say.</summary>
    public long? TlbInterrupts => _parser.TlbInterrupts;

    /// <summary>Opens a file.</summary>
    /// <exception cref="TraceFormatException">It cannot be read, is empty or no trace of a known format.</exception>
    public static TraceReader Open(string path)
    {
        if (Directory.Exists(path))
        {
            throw new TraceFormatException($"{path}: this is a folder; give a file with a trace in it");
        }

        try
        {
            return Open(File.OpenRead(path), path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new TraceFormatException($"{path}: {(exception is FileNotFoundException or DirectoryNotFoundException ? "no such file" : exception.Message)}");
        }
    }

    /// <summary>Opens a stream, which is closed with the reader.</summary>
    /// <param name="stream">The bytes.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="TraceFormatException">It is empty or no trace of a known format.</exception>
    public static TraceReader Open(Stream stream, string name)
    {
        var buffered = new PrefixStream(stream);
        ReadOnlySpan<byte> magic = buffered.Prefix;
        Stream plain = magic.StartsWith((ReadOnlySpan<byte>)[0x1f, 0x8b])
            ? new GzipText(buffered)
            : buffered;
        var lines = new TraceLines(plain);
        ReadOnlySpan<byte> start = lines.Peek();
        if (start.IsEmpty)
        {
            throw new TraceFormatException(lines.ReadError is { } error ? $"{name}: {error}" : $"{name}: the file is empty");
        }

        if (BinaryName(start) is { } binary)
        {
            throw new TraceFormatException($"{name}: {binary}");
        }

        var names = new NameTable();
        var problems = new TraceProblems();
        TraceParser parser = Detect(start, names, problems)
            ?? throw new TraceFormatException($"{name}: {FormatHints.For(start) ?? "no trace that shootdown knows: none of the first lines is an "
                + "event of perf script, trace-cmd report, tracefs, strace -f -ttt -T, bpftrace or shootdown record"}");
        return new TraceReader(stream, lines, names, problems, parser);
    }

    /// <summary>The next event; false at the end.</summary>
    public bool TryRead(out TraceEvent next)
    {
        if (_hasSecond)
        {
            _hasSecond = false;
            if (_parser.TryTakeSecond(out next))
            {
                return true;
            }
        }

        while (_lines.TryRead(out ReadOnlySpan<byte> line))
        {
            if (_lines.IsCut)
            {
                Problems.Add(TraceProblemKind.LineTooLong, _lines.Number, $"more than {TraceLines.LengthMax} bytes");
                continue;
            }

            LineResult result = _parser.Parse(line, _lines.Number, out next);
            if (_lines.IsUnfinished && result is LineResult.Unreadable or LineResult.Problem)
            {
                Problems.Add(TraceProblemKind.Truncated, _lines.Number, "the file ends within a line");
                continue;
            }

            if (result == LineResult.Event && next.Cpu >= CpusMax)
            {
                Problems.Add(TraceProblemKind.MissingField, _lines.Number, $"CPU {next.Cpu}, and Linux has at most {CpusMax} of them");
                continue;
            }

            if (result == LineResult.Event)
            {
                if (next.Kind != TraceEventKind.StackFrame)
                {
                    CheckOrder(next);
                    _gaps.Add(next, _lines.Number);
                }

                _hasSecond = true;
                return true;
            }

            if (result == LineResult.Unreadable)
            {
                Problems.Add(TraceProblemKind.UnreadableLine, _lines.Number, Printable(line));
            }
        }

        Close();
        next = default;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => _lines.Dispose();

    private void Close()
    {
        if (!_isClosed && _lines.ReadError is { } error)
        {
            Problems.Add(TraceProblemKind.Truncated, _lines.Number, error);
        }

        if (!_isClosed && _gaps.Problem is { } gaps)
        {
            Problems.Add(gaps);
        }

        _isClosed = true;
    }

    /// <summary>Each CPU's events must be in order, and so must those of each thread where CPUs are unknown.</summary>
    private void CheckOrder(in TraceEvent next)
    {
        if (_lastTime >= 0 && Math.Abs(next.TimeNs - _lastTime) > ClockJumpNs)
        {
            Problems.Add(TraceProblemKind.ClockJump, _lines.Number, $"from {_lastTime / 1e9:0.000000} s to {next.TimeNs / 1e9:0.000000} s");
        }

        _lastTime = next.TimeNs;
        bool isStrace = next.Cpu == TraceEvent.Unknown;
        int key = isStrace ? 0 : next.Cpu;
        ref long last = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_lastTimes, key, out bool exists);
        if (exists && next.TimeNs < last)
        {
            string where = isStrace ? "" : $" on CPU {next.Cpu}";
            Problems.Add(TraceProblemKind.BackwardTime, _lines.Number, $"{(last - next.TimeNs) / 1e3:0.###} us back{where}");
        }

        last = next.TimeNs;
    }

    private static TraceParser? Detect(ReadOnlySpan<byte> start, NameTable names, TraceProblems problems)
    {
        if (start.StartsWith("# shootdown recording"u8))
        {
            // What was there before the first event takes more lines than are looked at.
            return new KernelTextParser(names, problems);
        }

        (TraceParser Parser, int Events) best = (null!, 0);
        foreach (Func<NameTable, TraceProblems, TraceParser> create in (Func<NameTable, TraceProblems, TraceParser>[])
            [(n, p) => new KernelTextParser(n, p), (n, p) => new StraceParser(n, p), (n, p) => new BpftraceParser(n, p)])
        {
            int events = EventsIn(start, create(new NameTable(), new TraceProblems()));
            if (events > best.Events)
            {
                best = (create(names, problems), events);
            }
        }

        return best.Events > 0 ? best.Parser : null;
    }

    /// <summary>Lines that a parser takes for events of its format, problems included: they are of that format too.</summary>
    private static int EventsIn(ReadOnlySpan<byte> start, TraceParser parser)
    {
        int events = 0;
        for (int line = 1; line <= ProbeLines && !start.IsEmpty; line++)
        {
            int end = start.IndexOf((byte)'\n');
            ReadOnlySpan<byte> text = end < 0 ? start : start[..end];
            start = end < 0 ? default : start[(end + 1)..];
            LineResult result = parser.Parse(text, line, out TraceEvent parsed);
            events += result == LineResult.Problem || (result == LineResult.Event && parsed.Kind != TraceEventKind.StackFrame) ? 1 : 0;
        }

        return events;
    }

    private static string? BinaryName(ReadOnlySpan<byte> start)
        => start.StartsWith("PERFILE2"u8) ? "this is perf's binary file; give its text: perf script -i FILE --ns > FILE.txt"
            : start.Length > 10 && start[3..].StartsWith("tracing"u8)
                ? "this is trace-cmd's binary file; give its text: trace-cmd report -i FILE > FILE.txt"
            : start.StartsWith((ReadOnlySpan<byte>)[0x28, 0xb5, 0x2f, 0xfd]) ? "compressed by zstd; only gzip is read: zstd -dc FILE | gzip > FILE.gz"
            : start.StartsWith((ReadOnlySpan<byte>)[0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z'])
                ? "compressed by xz; only gzip is read: xz -dc FILE | gzip > FILE.gz"
            : null;

    private static string Printable(ReadOnlySpan<byte> line)
    {
        const int lengthMax = 60;
        ReadOnlySpan<byte> part = line[..Math.Min(line.Length, lengthMax)];
        var text = new char[part.Length];
        for (int i = 0; i < part.Length; i++)
        {
            text[i] = part[i] is >= 0x20 and < 0x7f ? (char)part[i] : '.';
        }

        return new string(text) + (line.Length > lengthMax ? "..." : "");
    }
}
