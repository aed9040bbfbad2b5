using System.Text;

namespace Shootdown.Measure;

/// <summary>
/// Text of <c>strace -f -ttt -T</c>. Says neither CPUs nor faults nor flushes: what remains is the calls. A line that
/// begins and ends a call is two events; calls that another thread interrupts are joined (<c>unfinished</c>,
/// <c>resumed</c>).
/// </summary>
internal sealed class StraceParser(NameTable names, TraceProblems problems) : TraceParser(names, problems)
{
    private const long DayNs = 86_400_000_000_000;
    private readonly StraceArguments _arguments = new();
    private readonly int _noName = names.Number("thread"u8);
    private TraceEvent _second;
    private bool _hasSecond;

    /// <inheritdoc/>
    public override TraceFormat Format => TraceFormat.Strace;

    /// <inheritdoc/>
    public override bool TryTakeSecond(out TraceEvent second)
    {
        second = _second;
        bool has = _hasSecond;
        _hasSecond = false;
        return has;
    }

    /// <inheritdoc/>
    protected override LineResult ParseLine(ReadOnlySpan<byte> line, ref TraceEvent parsed)
    {
        ReadOnlySpan<byte> text = ByteText.Trimmed(line);
        if (text.IsEmpty || text.StartsWith("strace: "u8))
        {
            return LineResult.Nothing;
        }

        if (!TryTaskAndTime(ref text, ref parsed))
        {
            return LineResult.Unreadable;
        }

        if (text.StartsWith("+++ "u8))
        {
            parsed.Kind = TraceEventKind.Exit;
            return LineResult.Event;
        }

        if (text.StartsWith("--- "u8))
        {
            parsed.Kind = TraceEventKind.Other;
            return LineResult.Event;
        }

        return text.StartsWith("<... "u8) ? ParseResumed(text, ref parsed) : ParseCall(text, ref parsed);
    }

    /// <summary><c>[pid 12] time</c>, <c>12 time</c> or only the time, as seconds since 1970 or as a time of day.</summary>
    private bool TryTaskAndTime(ref ReadOnlySpan<byte> text, ref TraceEvent parsed)
    {
        parsed.Comm = _noName;
        if (text.StartsWith("[pid"u8))
        {
            int close = text.IndexOf((byte)']');
            if (close < 0 || !ByteText.TryInt(ByteText.Trimmed(text[4..close]), out parsed.Tid))
            {
                return false;
            }

            text = text[(close + 1)..];
        }

        ReadOnlySpan<byte> word = ByteText.NextWord(ref text);
        if (ByteText.TryInt(word, out int tid))
        {
            parsed.Tid = tid;
            word = ByteText.NextWord(ref text);
        }

        text = ByteText.Trimmed(text);
        if (word.IndexOf((byte)':') == 2 && word.Length > 8 && ByteText.TryInt(word[..2], out int hours)
            && ByteText.TryInt(word[3..5], out int minutes)
            && ByteText.TrySeconds(word[6..], out long seconds, out bool hasComma))
        {
            parsed.TimeNs = ((hours * 60L) + minutes) * 60 * 1_000_000_000 + seconds;
            return parsed.TimeNs < DayNs && Comma(hasComma, word);
        }

        return ByteText.TrySeconds(word, out parsed.TimeNs, out hasComma) && Comma(hasComma, word);
    }

    private bool Comma(bool hasComma, ReadOnlySpan<byte> word)
    {
        if (hasComma)
        {
            Problems.Add(TraceProblemKind.DecimalComma, LineNumber, Encoding.UTF8.GetString(word));
        }

        return true;
    }

    /// <summary><c>name(arguments) = result &lt;seconds&gt;</c>, or without an end.</summary>
    private LineResult ParseCall(ReadOnlySpan<byte> text, ref TraceEvent parsed)
    {
        int open = text.IndexOf((byte)'(');
        if (open <= 0 || text[..open].IndexOf((byte)' ') >= 0)
        {
            return LineResult.Unreadable;
        }

        ReadOnlySpan<byte> name = text[..open];
        parsed.Kind = TraceEventKind.SyscallEnter;
        parsed.Call = MemoryCalls.Find(name);
        parsed.Name = parsed.Call == MemoryCall.Other ? Names.Number(name) : 0;
        string? missing = _arguments.Read(parsed.Call, text[(open + 1)..], ref parsed);
        if (missing is not null)
        {
            return Problem(TraceProblemKind.MissingField, $"{Encoding.UTF8.GetString(name)} without a readable '{missing}'");
        }

        if (text.IndexOf("<unfinished ...>"u8) < 0 && TryResult(text, ref parsed, out TraceEvent exit))
        {
            _second = exit;
            _hasSecond = true;
        }

        return LineResult.Event;
    }

    private LineResult ParseResumed(ReadOnlySpan<byte> text, ref TraceEvent parsed)
    {
        ReadOnlySpan<byte> words = text[5..];
        parsed.Call = MemoryCalls.Find(ByteText.NextWord(ref words));
        if (!TryResult(text, ref parsed, out TraceEvent exit))
        {
            // Ends without a result: the thread was killed in the call.
            parsed.Kind = TraceEventKind.Other;
            return LineResult.Event;
        }

        // The line's time is that of its end.
        exit.TimeNs = parsed.TimeNs;
        parsed = exit;
        return LineResult.Event;
    }

    /// <summary>The result and, with -T, the duration behind it.</summary>
    private static bool TryResult(ReadOnlySpan<byte> text, ref TraceEvent enter, out TraceEvent exit)
    {
        exit = enter;
        int equals = text.LastIndexOf(") = "u8);
        ReadOnlySpan<byte> result = equals < 0 ? default : text[(equals + 4)..];
        if (equals < 0 && text.LastIndexOf(" = "u8) is int at and >= 0)
        {
            result = text[(at + 3)..];
        }

        if (!ByteText.TryNumber(ByteText.Trimmed(result), out long value))
        {
            return false;
        }

        exit.Kind = TraceEventKind.SyscallExit;
        exit.A0 = value;
        int angle = text.LastIndexOf((byte)'<');
        if (angle > 0 && text[^1] == '>' && ByteText.TrySeconds(text[(angle + 1)..^1], out long duration, out _))
        {
            exit.TimeNs += duration;
        }

        return true;
    }
}
