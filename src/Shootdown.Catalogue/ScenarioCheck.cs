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
        return ScenarioSweep.ParameterOf(scenario, setup) is { } swept
            ? ScenarioSweep.Run(scenario, setup, swept, options)
            : Checker.Check(SubjectOf(scenario, setup), () => scenario.Build(setup), options);
    }

    /// <summary>
    /// Explores the scenario once more without its properties, and counts what its runs cost, operation by operation (<see cref="PCost"/>).
    /// </summary>
    /// <param name="report">What the check said; comes back with <see cref="CheckReport.Costs"/>, or the reason why there are none.</param>
    /// <param name="scenario">The scenario.</param>
    /// <param name="setup">As it was checked.</param>
    /// <param name="options">How to explore.</param>
    public static CheckReport CountCosts(CheckReport report, Scenario scenario, ScenarioSetup setup, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(scenario);
        ArgumentNullException.ThrowIfNull(setup);
        if (ScenarioSweep.ParameterOf(scenario, setup) is { } swept)
        {
            return report with { CostsReason = $"these are several machines: name one of them, {swept.Name}={swept.Minimum} to {swept.All - 1}" };
        }

        CheckReport counted = Checker.Check(
            SubjectOf(scenario, setup), () => scenario.Build(setup).ForCosts(), options with { Schedule = null });
        string reason = counted.Verdict switch
        {
            Verdict.Pass => string.Empty,
            Verdict.Violation => $"not every run ends: {counted.Counterexample!.Sentence}",
            _ => counted.Reason,
        };
        return report with { Costs = reason.Length == 0 ? counted.Costs : null, CostsReason = reason };
    }

    private static CheckSubject SubjectOf(Scenario scenario, ScenarioSetup setup) => new(
        scenario.Id,
        scenario.Number,
        scenario.Title,
        setup.IsBug ? "bug" : "fix",
        scenario.Expect(setup.Variant, setup.Model),
        [.. scenario.Parameters.Select(parameter =>
            new Bound(parameter.Name, parameter.TextOf(setup[parameter.Name])))]);
}
