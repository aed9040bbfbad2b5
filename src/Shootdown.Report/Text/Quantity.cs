using System.Globalization;

namespace Shootdown.Report;

/// <summary>Numbers as a reader wants them: grouped, with units, always in the same culture.</summary>
public static class Quantity
{
    private const double SecondsAMinute = 60;
    private const long BytesAKilobyte = 1024;

    /// <summary>All digits, in groups: <c>1,234,567</c>.</summary>
    public static string Exact(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>Three digits or so: <c>950</c>, <c>12.3 k</c>, <c>1.4 M</c>, <c>7.0 G</c>.</summary>
    public static string Rounded(double value) => value switch
    {
        < 999.5 => value.ToString("0", CultureInfo.InvariantCulture),
        < 999_950 => Scaled(value / 1e3, "k"),
        < 999_950_000 => Scaled(value / 1e6, "M"),
        _ => Scaled(value / 1e9, "G"),
    };

    /// <summary>Memory in powers of 1024: <c>900 kB</c>, <c>512 MB</c>, <c>17.5 GB</c>.</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < BytesAKilobyte => $"{bytes} B",
        < BytesAKilobyte * BytesAKilobyte => $"{bytes / BytesAKilobyte} kB",
        < 10 * BytesAKilobyte * BytesAKilobyte * BytesAKilobyte => $"{bytes / (BytesAKilobyte * BytesAKilobyte)} MB",
        _ => Scaled(bytes / (double)(BytesAKilobyte * BytesAKilobyte * BytesAKilobyte), "GB"),
    };

    /// <summary>A measured time: <c>4 ms</c>, <c>0.31 s</c>, <c>42 s</c>, <c>3 min 05 s</c>.</summary>
    public static string Elapsed(double seconds) => seconds switch
    {
        < 0.0995 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:0} ms"),
        < 9.995 => string.Create(CultureInfo.InvariantCulture, $"{seconds:0.00} s"),
        < SecondsAMinute - 0.5 => string.Create(CultureInfo.InvariantCulture, $"{seconds:0} s"),
        _ => Minutes((long)Math.Round(seconds)),
    };

    /// <summary>A running clock: <c>00:12</c>, <c>1:02:03</c>.</summary>
    public static string Clock(double seconds)
    {
        var time = TimeSpan.FromSeconds(Math.Floor(seconds));
        return time.TotalHours < 1
            ? time.ToString(@"mm\:ss", CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}");
    }

    /// <summary>A count and its noun: <c>1 state</c>, <c>1,234 states</c>.</summary>
    public static string Count(long value, string singular, string? plural = null)
        => $"{Exact(value)} {(value == 1 ? singular : plural ?? singular + "s")}";

    private static string Scaled(double value, string unit)
        => value.ToString(value < 99.95 ? "0.0" : "0", CultureInfo.InvariantCulture) + " " + unit;

    private static string Minutes(long seconds)
        => string.Create(CultureInfo.InvariantCulture, $"{seconds / 60} min {seconds % 60:00} s");
}
