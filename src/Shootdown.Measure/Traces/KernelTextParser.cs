using System.Text;

namespace Shootdown.Measure;

/// <summary>
/// Events as the kernel's tracing prints them. The tools differ in the columns before the event's name: perf script
/// <c>comm pid/tid [cpu] time: system:event: fields</c>, trace-cmd and tracefs <c>comm-pid [cpu] flags time: event: fields</c>.
/// A recording of our own is tracefs text behind header lines that start with <c># shootdown</c>.
/// </summary>
internal sealed partial class KernelTextParser(NameTable names, TraceProblems problems) : TraceParser(names, problems)
{
    private readonly KernelEventFields _fields = new(names);
    private TraceFormat? _format;
    private bool _isHyphenated;

    /// <inheritdoc/>
    public override TraceFormat Format => _format ?? TraceFormat.Tracefs;

    /// <inheritdoc/>
    protected override LineResult ParseLine(ReadOnlySpan<byte> line, ref TraceEvent parsed)
    {
        ReadOnlySpan<byte> text = ByteText.Trimmed(line);
        if (text.IsEmpty)
        {
            _isInStack = false;
            return LineResult.Nothing;
        }

        if (text[0] == '#')
        {
            return ParseHeader(text);
        }

        return TryColumns(text, ref parsed, out ReadOnlySpan<byte> rest) ? ParseEvent(rest, ref parsed) : ParseOther(line, text, ref parsed);
    }

    /// <summary>Reads what stands before the time: name, ids and CPU. A name may contain spaces, brackets and hyphens.</summary>
    private bool TryColumns(ReadOnlySpan<byte> text, ref TraceEvent parsed, out ReadOnlySpan<byte> rest)
    {
        rest = default;
        for (int from = 0; ;)
        {
            int open = text[from..].IndexOf(" ["u8);
            if (open < 0)
            {
                return false;
            }

            open += from;
            int close = open + Math.Max(0, text[open..].IndexOf((byte)']'));
            if (close > open && ByteText.TryInt(text[(open + 2)..close], out parsed.Cpu) && parsed.Cpu >= 0
                && TryTask(text[..open].TrimEnd((byte)' '), ref parsed))
            {
                rest = text[(close + 1)..];
                return true;
            }

            from = open + 2;
        }
    }

    /// <summary><c>comm pid/tid</c>, <c>comm tid</c>, <c>comm-tid</c> or <c>comm-tid (tgid)</c>.</summary>
    private bool TryTask(ReadOnlySpan<byte> task, ref TraceEvent parsed)
    {
        int space = task.LastIndexOf((byte)' ');
        ReadOnlySpan<byte> last = task[(space + 1)..];
        _isHyphenated = false;
        if (last.Length > 1 && last[^1] == ')')
        {
            int group = task.LastIndexOf((byte)'(');
            if (group < 0)
            {
                return false;
            }

            parsed.Pid = ByteText.TryInt(ByteText.Trimmed(task[(group + 1)..^1]), out int tgid) ? tgid : TraceEvent.Unknown;
            task = task[..group].TrimEnd((byte)' ');
            space = task.LastIndexOf((byte)' ');
            last = task[(space + 1)..];
        }

        int slash = last.IndexOf((byte)'/');
        if (space > 0 && slash > 0 && ByteText.TryInt(last[..slash], out int pid) && ByteText.TryInt(last[(slash + 1)..], out parsed.Tid))
        {
            parsed.Pid = pid;
            parsed.Comm = Names.Number(task[..space].TrimEnd((byte)' '));
            return true;
        }

        if (space > 0 && ByteText.IsDigits(last))
        {
            parsed.Comm = Names.Number(task[..space].TrimEnd((byte)' '));
            return ByteText.TryInt(last, out parsed.Tid);
        }

        int hyphen = task.LastIndexOf((byte)'-');
        if (hyphen <= 0 || !ByteText.TryInt(task[(hyphen + 1)..], out parsed.Tid))
        {
            return false;
        }

        parsed.Comm = Names.Number(task[..hyphen]);
        _isHyphenated = true;
        return true;
    }

    /// <summary>Flags, time, the event's name and its fields.</summary>
    private LineResult ParseEvent(ReadOnlySpan<byte> rest, ref TraceEvent parsed)
    {
        ReadOnlySpan<byte> word = ByteText.NextWord(ref rest);
        bool hasFlags = word.Length > 0 && word[^1] != ':';
        if (hasFlags)
        {
            word = ByteText.NextWord(ref rest);
        }

        if (word.Length < 2 || word[^1] != ':')
        {
            return LineResult.Unreadable;
        }

        if (!ByteText.TrySeconds(word[..^1], out parsed.TimeNs, out bool hasComma))
        {
            return ByteText.IsDigits(word[..^1])
                ? Problem(TraceProblemKind.ClockWithoutUnit, $"'{Encoding.UTF8.GetString(word)}' (set trace_clock to mono and record again)")
                : LineResult.Unreadable;
        }

        if (hasComma)
        {
            Problems.Add(TraceProblemKind.DecimalComma, LineNumber, Encoding.UTF8.GetString(word));
        }

        rest = ByteText.Trimmed(rest);
        if (rest.StartsWith("PERF_RECORD_"u8))
        {
            return ParseRecord(rest);
        }

        if (TryStackHeader(rest, parsed.Cpu))
        {
            return LineResult.Nothing;
        }

        if (!TrySplitName(ref rest, out ReadOnlySpan<byte> name))
        {
            return LineResult.Unreadable;
        }

        int colon = name.IndexOf((byte)':');
        if (colon >= 0 && _isHyphenated)
        {
            return Problem(
                TraceProblemKind.MissingField, "an event of perf script without the thread's number: use -F comm,pid,tid,cpu,time,event,trace");
        }

        _format ??= colon >= 0 ? TraceFormat.PerfScript : hasFlags ? TraceFormat.Tracefs : TraceFormat.TraceCmd;
        string? missing = _fields.Read(colon >= 0 ? name[(colon + 1)..] : name, rest, ref parsed);
        if (missing is not null)
        {
            return Problem(TraceProblemKind.MissingField, $"{Encoding.UTF8.GetString(name)} without a readable '{missing}'");
        }

        if (parsed.Kind == TraceEventKind.TlbFlush && parsed.A0 is < 0 or > (long)FlushReason.RemoteWrongCpu)
        {
            Problems.Add(TraceProblemKind.UnknownReason, LineNumber, Encoding.UTF8.GetString(rest));
        }

        BeginStack(parsed.Cpu);
        return LineResult.Event;
    }

    /// <summary>
    /// Splits <c>name: fields</c>, <c>sys_name(fields)</c> or <c>sys_name -> result</c>. perf script may put a period before it.
    /// </summary>
    private static bool TrySplitName(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> name)
    {
        ReadOnlySpan<byte> after = rest;
        name = ByteText.NextWord(ref after);
        if (ByteText.IsDigits(name))
        {
            rest = after;
            name = ByteText.NextWord(ref after);
        }

        int open = name.IndexOf((byte)'(');
        if (name.StartsWith("sys_"u8) && open > 0)
        {
            name = name[..open];
            rest = ByteText.Trimmed(rest)[(open + 1)..];
            return true;
        }

        if (name.Length > 1 && name[^1] == ':')
        {
            name = name[..^1];
            rest = ByteText.Trimmed(after);
            return true;
        }

        if (name.StartsWith("sys_"u8) && after.StartsWith("->"u8))
        {
            rest = after;
            return true;
        }

        return false;
    }

    /// <summary>Lines that are no event: losses, stacks, trace-cmd's header.</summary>
    private LineResult ParseOther(ReadOnlySpan<byte> line, ReadOnlySpan<byte> text, ref TraceEvent parsed)
    {
        int lost = text.IndexOf("LOST"u8);
        if (lost >= 0 && (text.StartsWith("CPU"u8) || text.IndexOf("PERF_RECORD_LOST"u8) >= 0))
        {
            ReadOnlySpan<byte> words = text[(lost + 4)..];
            ReadOnlySpan<byte> number = ByteText.NextWord(ref words);
            long count = ByteText.TryNumber(number, out long value) ? value : ByteText.TryField(text, "lost"u8, out value) ? value : 1;
            _lost += count;
            return Problem(TraceProblemKind.LostEvents, Encoding.UTF8.GetString(text), count);
        }

        if (text.StartsWith("CPU:"u8) && text.EndsWith("[EVENTS DROPPED]"u8))
        {
            // trace-cmd where the kernel did not count them.
            return Problem(TraceProblemKind.LostEvents, Encoding.UTF8.GetString(text), 1);
        }

        if (text.StartsWith("cpus="u8))
        {
            _format ??= TraceFormat.TraceCmd;
            Cpus = ByteText.TryNumber(text[5..], out long cpus) ? (int)cpus : 0;
            return LineResult.Nothing;
        }

        if (text.StartsWith("version = "u8) || text.StartsWith("CPU "u8) && text.EndsWith(" is empty"u8))
        {
            return LineResult.Nothing;
        }

        return ParseStackFrame(line, text, ref parsed);
    }
}
