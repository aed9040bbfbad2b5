using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Makes setups: the catalogue's model size unless something else is asked for.</summary>
public static class ScenarioDefaults
{
    /// <summary>The scenario at the catalogue's size, on the weakest machine on which the bug shows.</summary>
    public static ScenarioSetup SetupOf(Scenario scenario, Variant variant)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        return new ScenarioSetup(variant, scenario.Model, TlbKind.Lagging, Defaults(scenario));
    }

    /// <summary>The scenario with some bounds changed.</summary>
    /// <exception cref="ArgumentException">A bound does not exist or is out of its range; the message says what
    /// fits.</exception>
    public static ScenarioSetup SetupOf(
        Scenario scenario, Variant variant, MemoryModelKind model, params ReadOnlySpan<(string Name, int Value)> bounds)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        Dictionary<string, int> values = Defaults(scenario);
        foreach ((string name, int value) in bounds)
        {
            if (WhyNot(scenario, name, value) is { } why)
            {
                throw new ArgumentException(why, nameof(bounds));
            }

            values[name] = value;
        }

        return new ScenarioSetup(variant, model, TlbKind.Lagging, values);
    }

    /// <summary>
    /// Null if the scenario has the bound and the value is in its range, else a sentence that says what fits.
    /// </summary>
    public static string? WhyNot(Scenario scenario, string name, int value)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        ScenarioParameter? parameter = scenario.Parameters.FirstOrDefault(candidate => candidate.Name == name);
        if (parameter is null)
        {
            string known = string.Join(", ", scenario.Parameters.Select(candidate => candidate.Name));
            return $"{scenario.Id} has no bound '{name}'; it has {(known.Length == 0 ? "none" : known)}";
        }

        return value >= parameter.Minimum && value <= parameter.Maximum
            ? null
            : $"{scenario.Id}: {name} must be {parameter.Minimum} to {parameter.Maximum}, not {value} "
                + $"({parameter.Help})";
    }

    private static Dictionary<string, int> Defaults(Scenario scenario)
        => scenario.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Default);
}
