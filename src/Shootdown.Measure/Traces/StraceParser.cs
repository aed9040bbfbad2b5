using System.Text;

namespace Shootdown.Measure;

/// <summary>
/// Text of <c>strace -f</c> with any kind of time (-ttt, -tt, -t, -r), with or without -T, -Y, -i, -n and -k. Says neither CPUs nor faults
/// nor flushes: what remains is the calls. A line that begins and ends a call is two events; calls that another thread interrupts are
/// joined (<c>unfinished</c>, <c>resumed</c>).
/// </summary>
internal sealed class StraceParser(NameTable names, TraceProblems problems) : TraceParser(names, problems)
{
    private readonly StraceArguments _arguments = new();
    private readonly StraceColumns _columns = new(names);
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
        if (text.IsEmpty || text.StartsWith("strace: "u8) || text.StartsWith("> "u8))
        {
            // The last are frames of -k: the calls have no flushes that they could explain.
            return LineResult.Nothing;
        }

        if (!_columns.TryRead(ref text, ref parsed, out string? comma))
        {
            return LineResult.Unreadable;
        }

        if (comma is not null)
        {
            Problems.Add(TraceProblemKind.DecimalComma, LineNumber, comma);
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
    private bool TryResult(ReadOnlySpan<byte> text, ref TraceEvent enter, out TraceEvent exit)
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
            HasDurations = true;
        }

        return true;
    }
}
