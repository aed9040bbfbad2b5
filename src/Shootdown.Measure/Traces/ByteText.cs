using System.Buffers.Text;

namespace Shootdown.Measure;

/// <summary>Reads words and numbers from the bytes of a line.</summary>
internal static class ByteText
{
    private const long NsPerSecond = 1_000_000_000;
    private const int FractionDigits = 9;

    /// <summary>Without spaces and tabs around it.</summary>
    public static ReadOnlySpan<byte> Trimmed(ReadOnlySpan<byte> text) => text.Trim(" \t"u8);

    /// <summary>Cuts the first word off.</summary>
    public static ReadOnlySpan<byte> NextWord(scoped ref ReadOnlySpan<byte> text)
    {
        text = text.TrimStart(" \t"u8);
        int end = text.IndexOfAny((byte)' ', (byte)'\t');
        ReadOnlySpan<byte> word = end < 0 ? text : text[..end];
        text = end < 0 ? default : text[(end + 1)..];
        return word;
    }

    /// <summary>True if all bytes are decimal digits and there is one.</summary>
    public static bool IsDigits(ReadOnlySpan<byte> text) => text.Length > 0 && text.IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;

    /// <summary>A decimal number of the whole text.</summary>
    public static bool TryInt(ReadOnlySpan<byte> text, out int value)
        => Utf8Parser.TryParse(text, out value, out int used) && used == text.Length;

    /// <summary>
    /// The number at the beginning: decimal with sign, <c>0x...</c> as 64 bits, or NULL. False if there is none or it does not fit.
    /// </summary>
    public static bool TryNumber(ReadOnlySpan<byte> text, out long value)
    {
        if (text.StartsWith("0x"u8))
        {
            return TryHexadecimal(text, out value);
        }

        if (text.StartsWith("NULL"u8))
        {
            value = 0;
            return true;
        }

        return Utf8Parser.TryParse(text, out value, out _);
    }

    /// <summary>The hexadecimal number at the beginning, 64 bits, with or without <c>0x</c>. False if there is none or it does not fit.</summary>
    public static bool TryHexadecimal(ReadOnlySpan<byte> text, out long value)
    {
        bool read = Utf8Parser.TryParse(text.StartsWith("0x"u8) ? text[2..] : text, out ulong bits, out _, 'x');
        value = (long)bits;
        return read;
    }

    /// <summary>The value of <c>key=value</c> or <c>key: value</c>; empty if the key is missing.</summary>
    public static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> fields, ReadOnlySpan<byte> key)
    {
        for (int from = 0; from < fields.Length;)
        {
            int at = fields[from..].IndexOf(key);
            if (at < 0)
            {
                return default;
            }

            at += from;
            int end = at + key.Length;
            if ((at == 0 || fields[at - 1] is (byte)' ' or (byte)'(' or (byte)',') && end < fields.Length && fields[end] is (byte)'=' or (byte)':')
            {
                return fields[(end + 1)..].TrimStart((byte)' ');
            }

            from = end;
        }

        return default;
    }

    /// <summary>The number of a field; false if it is missing or none.</summary>
    public static bool TryField(ReadOnlySpan<byte> fields, ReadOnlySpan<byte> key, out long value)
    {
        ReadOnlySpan<byte> text = Field(fields, key);
        value = 0;
        return text.Length > 0 && TryNumber(text, out value);
    }

    /// <summary>Seconds with a fraction, in nanoseconds. A comma is read as a point and reported.</summary>
    public static bool TrySeconds(ReadOnlySpan<byte> text, out long ns, out bool hasComma)
    {
        ns = 0;
        int point = text.IndexOfAny((byte)'.', (byte)',');
        hasComma = point >= 0 && text[point] == ',';
        if (point <= 0 || !IsDigits(text[..point]) || !IsDigits(text[(point + 1)..])
            || !Utf8Parser.TryParse(text[..point], out long seconds, out _) || seconds > long.MaxValue / NsPerSecond - 1)
        {
            return false;
        }

        ReadOnlySpan<byte> digits = text[(point + 1)..];
        long fraction = 0;
        for (int i = 0; i < FractionDigits; i++)
        {
            fraction = fraction * 10 + (i < digits.Length ? digits[i] - '0' : 0);
        }

        ns = seconds * NsPerSecond + fraction;
        return true;
    }
}
