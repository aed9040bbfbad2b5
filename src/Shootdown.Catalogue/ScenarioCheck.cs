using System.Globalization;
using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>Checks a scenario.</summary>
public static class ScenarioCheck
{
    /// <summary>Builds the scenario as asked and checks it.</summary>
    public static CheckReport Run(Scenario scenario, ScenarioSetup setup, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        ArgumentNullException.ThrowIfNull(setup);
        var subject = new CheckSubject(
            scenario.Id,
            scenario.Number,
            scenario.Title,
            setup.IsBug ? "bug" : "fix",
            scenario.Expect(setup.Variant, setup.Model),
            [.. scenario.Parameters.Select(parameter =>
                new Bound(parameter.Name, setup[parameter.Name].ToString(CultureInfo.InvariantCulture)))]);
        return Checker.Check(subject, () => scenario.Build(setup), options);
    }
}
