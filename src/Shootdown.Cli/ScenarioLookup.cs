using Shootdown.Catalogue;

namespace Shootdown.Cli;

/// <summary>Finds scenarios by id, catalogue number or tag.</summary>
internal sealed class ScenarioLookup(IReadOnlyList<Scenario> scenarios)
{
    private const string ListHint = "./shootdown list";

    /// <summary>The scenario with that id or number, in whatever case.</summary>
    /// <exception cref="UsageException">There is none; names the nearest.</exception>
    public Scenario Find(string name)
        => scenarios.FirstOrDefault(scenario => IsNamed(scenario, name)) ?? throw Unknown(name);

    /// <summary>All scenarios with at least one of the tags.</summary>
    /// <exception cref="UsageException">Nothing has the tag; names the nearest.</exception>
    public IReadOnlyList<Scenario> WithTags(IReadOnlyList<string> tags)
    {
        string[] known = [.. scenarios.SelectMany(scenario => scenario.Tags).Distinct(StringComparer.OrdinalIgnoreCase).Order()];
        foreach (string tag in tags)
        {
            if (!known.Contains(tag, StringComparer.OrdinalIgnoreCase))
            {
                string question = DidYouMean(tag, known, otherwise: ".");
                throw new UsageException($"no scenario has the tag '{tag}'{question} Tags: {string.Join(", ", known)}");
            }
        }

        return [.. scenarios.Where(scenario => scenario.Tags.Intersect(tags, StringComparer.OrdinalIgnoreCase).Any())];
    }

    /// <summary>True if there is such an id or number.</summary>
    public bool Knows(string name) => scenarios.Any(scenario => IsNamed(scenario, name));

    /// <summary>A question for error messages; other words if nothing is near.</summary>
    public static string DidYouMean(string typed, IEnumerable<string> candidates, string otherwise = "")
        => NearestName.Of(typed, candidates) is { } nearest ? $"; did you mean '{nearest}'?" : otherwise;

    private static bool IsNamed(Scenario scenario, string name)
        => string.Equals(scenario.Id, name, StringComparison.OrdinalIgnoreCase)
            || (scenario.Number.Length > 0 && string.Equals(scenario.Number, name, StringComparison.OrdinalIgnoreCase));

    private UsageException Unknown(string name)
    {
        IEnumerable<string> ids = scenarios.Select(scenario => scenario.Id);
        IEnumerable<string> numbers = scenarios.Select(scenario => scenario.Number).Where(number => number.Length > 0);
        return new UsageException($"there is no scenario '{name}'{DidYouMean(name, ids.Concat(numbers))}", ListHint);
    }
}
