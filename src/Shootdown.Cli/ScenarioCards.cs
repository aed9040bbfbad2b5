using Shootdown.Catalogue;
using Shootdown.Machine;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Takes from a scenario what can be told without running it.</summary>
internal static class ScenarioCards
{
    public static ScenarioCard Of(Scenario scenario) => new()
    {
        Id = scenario.Id,
        Number = scenario.Number,
        Title = scenario.Title,
        Year = scenario.Year,
        References = scenario.References,
        Seed = scenario.Seed,
        Tags = scenario.Tags,
        Property = scenario.Property,
        Model = ModelNames.Of(scenario.Model),
        Variants = [.. scenario.Variants.Select(VariantNames.Of)],
        Parameters = [.. scenario.Parameters.Select(p => new ParameterCard(p.Name, p.Default, p.Minimum, p.Maximum, p.Help))],
        Story = scenario.Story,
        Steps = scenario.Steps,
        Sources = scenario.Sources,
        Expectations = [.. Expectations(scenario)],
    };

    private static IEnumerable<ExpectationCard> Expectations(Scenario scenario)
    {
        foreach (MemoryModelKind model in Enum.GetValues<MemoryModelKind>())
        {
            foreach (Variant variant in scenario.Variants)
            {
                if (scenario.Expect(variant, model) is { } verdict)
                {
                    yield return new ExpectationCard(VariantNames.Of(variant), ModelNames.Of(model), VerdictLine.Name(verdict));
                }
            }
        }
    }
}

/// <summary>Variants as they are spelled on the command line.</summary>
internal static class VariantNames
{
    public const string Bug = "bug";
    public const string Fix = "fix";
    public const string Both = "both";

    public static string Of(Variant variant) => variant == Variant.Bug ? Bug : Fix;

    /// <summary>The variants of a scenario that a word selects, the bug first; none if it has none of that name.</summary>
    public static IReadOnlyList<Variant> Selected(Scenario scenario, string word)
        => [.. scenario.Variants.Where(variant => word == Both || word == Of(variant))];
}
