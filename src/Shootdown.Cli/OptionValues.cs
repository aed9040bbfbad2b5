using System.Globalization;

namespace Shootdown.Cli;

/// <summary>Reads the values of options; each error says what would have been understood.</summary>
internal static class OptionValues
{
    private const int WorkersMax = 1024;

    /// <summary><c>4G</c>, <c>512M</c>, <c>900K</c>, in powers of 1024.</summary>
    public static long Bytes(string option, string text)
    {
        string number = text.TrimEnd('b', 'B').TrimEnd('i');
        int shift = number.Length == 0 ? -1 : char.ToUpperInvariant(number[^1]) switch
        {
            'K' => 10,
            'M' => 20,
            'G' => 30,
            'T' => 40,
            _ => -1,
        };
        if (shift < 0 || !TryPositive(number[..^1], out double value) || value * (1L << shift) is < 1 or > long.MaxValue / 2)
        {
            throw Expected(option, text, "an amount of memory such as 512M or 4G");
        }

        return (long)(value * (1L << shift));
    }

    /// <summary><c>60s</c>, <c>5m</c>, <c>2h</c>, <c>500ms</c>.</summary>
    public static TimeSpan Time(string option, string text)
    {
        (string unit, double seconds)[] units = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)];
        foreach ((string unit, double seconds) in units)
        {
            if (text.EndsWith(unit, StringComparison.OrdinalIgnoreCase) && TryPositive(text[..^unit.Length], out double value)
                && value * seconds < TimeSpan.MaxValue.TotalSeconds / 2)
            {
                return TimeSpan.FromSeconds(value * seconds);
            }
        }

        throw Expected(option, text, "a time such as 60s, 5m or 2h");
    }

    /// <summary>A number of threads.</summary>
    public static int Workers(string option, string text)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value is >= 1 and <= WorkersMax
            ? value
            : throw Expected(option, text, $"a number of threads from 1 to {WorkersMax}");

    /// <summary>A number of runs.</summary>
    public static long Runs(string option, string text)
        => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= 1
            ? value
            : throw Expected(option, text, "a number of runs such as 100000");

    /// <summary>What random numbers are drawn from.</summary>
    public static ulong Seed(string option, string text)
        => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw Expected(option, text, "a whole number");

    /// <summary>One of a few words, in whatever case.</summary>
    public static string Word(string option, string text, params string[] words)
        => Array.Find(words, word => string.Equals(word, text, StringComparison.OrdinalIgnoreCase))
            ?? throw Expected(option, text, words.Length == 1 ? words[0] : $"{string.Join(", ", words[..^1])} or {words[^1]}");

    private static UsageException Expected(string option, string text, string expected)
        => new($"{option} '{text}': expected {expected}");

    private static bool TryPositive(string text, out double value)
        => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value) && value > 0;
}
