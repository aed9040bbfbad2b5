using System.Globalization;

namespace Shootdown.Machine;

/// <summary>Values as reports print them.</summary>
public static class ValueText
{
    /// <summary>A decimal number.</summary>
    public static string Number(ulong value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>A set of CPUs, one bit each, as a list: <c>cpu0,cpu2-5</c>; <c>empty</c> if there are none.</summary>
    public static string Cpus(ulong mask) => Cpus((CpuSet)mask);

    /// <summary>A set of CPUs as a list: <c>cpu0,cpu2-5</c>; <c>empty</c> if there are none.</summary>
    public static string Cpus(CpuSet set)
    {
        var parts = new List<string>();
        for (int first = set.First; first >= 0;)
        {
            int last = first;
            while (set.After(last) == last + 1)
            {
                last++;
            }

            parts.Add((last - first) switch
            {
                0 => $"cpu{first}",
                1 => $"cpu{first},cpu{last}",
                _ => $"cpu{first}-{last}",
            });
            first = set.After(last);
        }

        return parts.Count == 0 ? "empty" : string.Join(',', parts);
    }
}
