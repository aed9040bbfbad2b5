namespace Shootdown.Cli;

/// <summary>Finds what somebody probably meant.</summary>
internal static class NearestName
{
    private const int PartMin = 3;

    /// <summary>The closest candidate, or null if none is close: few letters wrong, or a part of exactly one name.</summary>
    public static string? Of(string typed, IEnumerable<string> candidates)
    {
        string[] names = [.. candidates.Distinct(StringComparer.OrdinalIgnoreCase)];
        string? nearest = names.MinBy(name => Distance(typed, name));
        if (nearest is not null && IsNear(typed, nearest))
        {
            return nearest;
        }

        if (typed.Length < PartMin)
        {
            return null;
        }

        string[] containing = [.. names.Where(name => name.Contains(typed, StringComparison.OrdinalIgnoreCase))];
        return containing.Length > 0 ? containing.MinBy(name => name.Length) : null;
    }

    /// <summary>True if few letters are wrong, or what was typed is a part of the name.</summary>
    public static bool IsNear(string typed, string name)
        => Distance(typed, name) <= Math.Max(1, Math.Min(typed.Length, name.Length) / 3)
            || (typed.Length >= PartMin && name.Contains(typed, StringComparison.OrdinalIgnoreCase));

    /// <summary>Letters to insert, delete, replace or swap with their neighbour; case does not count.</summary>
    internal static int Distance(string a, string b)
    {
        var cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int k = 0; k <= b.Length; k++)
            {
                if (i == 0 || k == 0)
                {
                    cost[i, k] = i + k;
                    continue;
                }

                int replaced = cost[i - 1, k - 1] + (IsSame(a[i - 1], b[k - 1]) ? 0 : 1);
                cost[i, k] = Math.Min(replaced, 1 + Math.Min(cost[i - 1, k], cost[i, k - 1]));
                if (i > 1 && k > 1 && IsSame(a[i - 1], b[k - 2]) && IsSame(a[i - 2], b[k - 1]))
                {
                    cost[i, k] = Math.Min(cost[i, k], cost[i - 2, k - 2] + 1);
                }
            }
        }

        return cost[a.Length, b.Length];
    }

    private static bool IsSame(char a, char b) => char.ToLowerInvariant(a) == char.ToLowerInvariant(b);
}
