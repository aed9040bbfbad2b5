using System.Globalization;
using System.Numerics;

namespace Shootdown.Machine;

/// <summary>Values as reports print them.</summary>
public static class ValueText
{
    /// <summary>A decimal number.</summary>
    public static string Number(ulong value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>A set of CPUs, one bit each, as a list: <c>cpu0,cpu2-5</c>; <c>empty</c> if there are none.</summary>
    public static string Cpus(ulong mask)
    {
        var parts = new List<string>();
        while (mask != 0)
        {
            int first = BitOperations.TrailingZeroCount(mask);
            int length = BitOperations.TrailingZeroCount(~(mask >> first));
            parts.Add(length switch
            {
                1 => $"cpu{first}",
                2 => $"cpu{first},cpu{first + 1}",
                _ => $"cpu{first}-{first + length - 1}",
            });
            mask &= length == 64 ? 0 : ~(((1UL << length) - 1) << first);
        }

        return parts.Count == 0 ? "empty" : string.Join(',', parts);
    }
}
