using System.Globalization;
using Shootdown.Catalogue;
using Shootdown.Check;

namespace Shootdown.Cli;

/// <summary>The bounds that were asked for, by name, and what they mean for a scenario.</summary>
internal sealed class BoundRequest
{
    private readonly List<(string Name, string Value)> _requested = [];

    /// <summary>Adds <c>--name value</c>.</summary>
    public void Add(string name, string value)
    {
        if (_requested.Exists(bound => bound.Name == name))
        {
            throw new UsageException($"the bound '{name}' is given twice");
        }

        _requested.Add((name, value));
    }

    /// <summary>Adds <c>--bound name=value</c>.</summary>
    public void AddPair(string pair)
    {
        int equals = pair.IndexOf('=');
        if (equals <= 0 || equals == pair.Length - 1)
        {
            throw new UsageException($"--bound '{pair}': expected name=value, such as cpus=3");
        }

        Add(pair[..equals].TrimStart('-'), pair[(equals + 1)..]);
    }

    /// <summary>Refuses a bound that none of the scenarios has: it would change nothing.</summary>
    public void RequireKnown(IReadOnlyList<Scenario> scenarios)
    {
        foreach ((string name, _) in _requested)
        {
            if (!scenarios.Any(scenario => scenario.Parameters.Any(parameter => parameter.Name == name)))
            {
                throw Unknown(name, scenarios);
            }
        }
    }

    /// <summary>A value for every parameter of the scenario. Bounds that it does not have are left to the other scenarios.</summary>
    public IReadOnlyDictionary<string, int> ValuesFor(Scenario scenario)
        => scenario.Parameters.ToDictionary(parameter => parameter.Name, parameter => ValueOf(scenario, parameter));

    /// <summary>The bounds that differ from the scenario's own, as a replay has to repeat them.</summary>
    public static IReadOnlyList<Bound> Changed(Scenario scenario, IReadOnlyDictionary<string, int> values) =>
    [
        .. scenario.Parameters.Where(parameter => values[parameter.Name] != parameter.Default)
            .Select(parameter => new Bound(parameter.Name, values[parameter.Name].ToString(CultureInfo.InvariantCulture))),
    ];

    private static UsageException Unknown(string name, IReadOnlyList<Scenario> scenarios)
    {
        IEnumerable<string> known = scenarios.SelectMany(scenario => scenario.Parameters).Select(parameter => parameter.Name);
        return scenarios.Count == 1
            ? new UsageException($"{scenarios[0].Id} has no bound '{name}'{ScenarioLookup.DidYouMean(name, known, otherwise: ".")} "
                + $"Its bounds: {Ranges(scenarios[0])}")
            : new UsageException($"none of these scenarios has a bound '{name}'{ScenarioLookup.DidYouMean(name, known)}");
    }

    private int ValueOf(Scenario scenario, ScenarioParameter parameter)
    {
        int at = _requested.FindIndex(bound => bound.Name == parameter.Name);
        if (at < 0)
        {
            return parameter.Default;
        }

        string text = _requested[at].Value;
        bool isNumber = int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value);
        if (!isNumber || value < parameter.Minimum || value > parameter.Maximum)
        {
            throw new UsageException($"--{parameter.Name} '{text}': {scenario.Id} takes a number, {Range(parameter)}");
        }

        return value;
    }

    private static string Range(ScenarioParameter parameter)
        => parameter.Minimum == parameter.Maximum
            ? $"only {parameter.Minimum}"
            : $"{parameter.Minimum} to {parameter.Maximum} (default {parameter.Default})";

    private static string Ranges(Scenario scenario) => scenario.Parameters.Count == 0
        ? "none"
        : string.Join(", ", scenario.Parameters.Select(parameter => $"{parameter.Name} {Range(parameter)}"));
}
