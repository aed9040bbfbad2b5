using System.Text;

namespace Shootdown.Measure;

/// <summary>
/// What strace prints before a call: <c>[pid 12]</c> or <c>12</c>, with -Y <c>12&lt;name&gt;</c>; a time as seconds since 1970 (-ttt), as a time of
/// day (-tt, -t) or since the line before (-r, which is padded to the right); a call's number (-n) and an instruction's address (-i) in
/// brackets.
/// </summary>
internal sealed class StraceColumns(NameTable names)
{
    private const long DayNs = 86_400_000_000_000;
    private const long NsPerSecond = 1_000_000_000;

    /// <summary>Blanks before a time that make it one of -r: seconds take six columns, the number behind the last blank has few.</summary>
    private const int PaddingMin = 4;

    private bool _isRelative;
    private long _sumNs;

    /// <summary>Reads the columns and cuts them off; <paramref name="comma"/> is a time that has a decimal comma, else null.</summary>
    public bool TryRead(ref ReadOnlySpan<byte> text, ref TraceEvent parsed, out string? comma)
    {
        comma = null;
        ReadOnlySpan<byte> line = text;
        if (text.StartsWith("[pid"u8))
        {
            int close = text.IndexOf((byte)']');
            if (close < 0 || !TryTask(ByteText.Trimmed(text[4..close]), ref parsed))
            {
                return false;
            }

            text = text[(close + 1)..];
        }
        else
        {
            ReadOnlySpan<byte> rest = text;
            int angle = text.IndexOf((byte)'<');
            int digits = text.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            bool isNamed = digits > 0 && angle == digits && text.IndexOf("> "u8) > 0;
            ReadOnlySpan<byte> task = isNamed ? text[..(text.IndexOf("> "u8) + 1)] : ByteText.NextWord(ref rest);
            if (isNamed || ByteText.IsDigits(task))
            {
                if (!TryTask(task, ref parsed))
                {
                    return false;
                }

                text = text[task.Length..];
            }
        }

        int padding = text.Length - text.TrimStart((byte)' ').Length;
        ReadOnlySpan<byte> time = ByteText.NextWord(ref text);
        if (!TryTime(time, padding, ref parsed, out bool hasComma))
        {
            text = line;
            return false;
        }

        comma = hasComma ? Encoding.UTF8.GetString(time) : null;
        text = WithoutBrackets(ByteText.Trimmed(text));
        return true;
    }

    /// <summary><c>12</c> or <c>12&lt;name&gt;</c>.</summary>
    private bool TryTask(ReadOnlySpan<byte> task, ref TraceEvent parsed)
    {
        int angle = task.IndexOf((byte)'<');
        parsed.Comm = angle > 0 && task[^1] == '>' ? names.Number(task[(angle + 1)..^1]) : 0;
        return ByteText.TryInt(angle > 0 ? task[..angle] : task, out parsed.Tid);
    }

    private bool TryTime(ReadOnlySpan<byte> word, int padding, ref TraceEvent parsed, out bool hasComma)
    {
        hasComma = false;
        const int shortest = 8;
        if (word.IndexOf((byte)':') == 2 && word.Length >= shortest && ByteText.TryInt(word[..2], out int hours)
            && ByteText.TryInt(word[3..5], out int minutes))
        {
            long seconds = 0;
            bool isRead = word.Length == shortest && ByteText.TryInt(word[6..], out int whole) ? (seconds = whole * NsPerSecond) >= 0
                : ByteText.TrySeconds(word[6..], out seconds, out hasComma);
            parsed.TimeNs = ((hours * 60L) + minutes) * 60 * NsPerSecond + seconds;
            return isRead && parsed.TimeNs < DayNs;
        }

        if (!ByteText.TrySeconds(word, out parsed.TimeNs, out hasComma))
        {
            return false;
        }

        _isRelative |= padding >= PaddingMin;
        if (_isRelative)
        {
            _sumNs += parsed.TimeNs;
            parsed.TimeNs = _sumNs;
        }

        return true;
    }

    /// <summary><c>(+     0.000195)</c> of -r beside -tt, <c>[  59]</c> of -n, <c>[00007f463fc11ad7]</c> of -i.</summary>
    private static ReadOnlySpan<byte> WithoutBrackets(ReadOnlySpan<byte> text)
    {
        while (text.StartsWith("["u8) || text.StartsWith("(+"u8))
        {
            int close = text.IndexOf(text[0] == '[' ? (byte)']' : (byte)')');
            if (close < 0)
            {
                return text;
            }

            text = ByteText.Trimmed(text[(close + 1)..]);
        }

        return text;
    }
}
