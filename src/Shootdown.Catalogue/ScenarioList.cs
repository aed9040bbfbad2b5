namespace Shootdown.Catalogue;

/// <summary>All scenarios of the catalogue.</summary>
public static class ScenarioList
{
    /// <summary>
    /// Every class of this assembly that derives from <see cref="Scenario"/>: in the order of catalogue numbers, then those that have none.
    /// </summary>
    public static IReadOnlyList<Scenario> All { get; } =
    [
        .. typeof(ScenarioList).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(Scenario)) && !type.IsAbstract)
            .Select(type => (Scenario)Activator.CreateInstance(type, nonPublic: true)!)
            .OrderBy(scenario => scenario.Number.Length == 0)
            .ThenBy(scenario => scenario.Number, StringComparer.Ordinal)
            .ThenBy(scenario => scenario.Id, StringComparer.Ordinal),
    ];

    /// <summary>The scenario with this id or catalogue number, in any case; null if there is none.</summary>
    public static Scenario? Find(string idOrNumber)
        => All.FirstOrDefault(scenario => Same(scenario.Id, idOrNumber)
            || (scenario.Number.Length > 0 && Same(scenario.Number, idOrNumber)));

    /// <summary>The id that looks most like what was asked for: for "did you mean".</summary>
    public static string Nearest(string idOrNumber)
    {
        ArgumentNullException.ThrowIfNull(idOrNumber);
        string asked = idOrNumber.ToLowerInvariant();
        return All.MinBy(scenario =>
            Math.Min(Distance(asked, scenario.Id), Distance(asked, scenario.Number.ToLowerInvariant())))!.Id;
    }

    private static bool Same(string name, string asked)
        => string.Equals(name, asked, StringComparison.OrdinalIgnoreCase);

    /// <summary>Levenshtein distance.</summary>
    private static int Distance(string from, string to)
    {
        int[] row = [.. Enumerable.Range(0, to.Length + 1)];
        for (int i = 1; i <= from.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, 1 + Math.Min(row[j], row[j - 1]));
            }
        }

        return row[^1];
    }
}
