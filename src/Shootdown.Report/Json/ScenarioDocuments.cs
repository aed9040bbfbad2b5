namespace Shootdown.Report;

/// <summary>The JSON document of <c>list --json</c>.</summary>
internal sealed record ListDocument(string Schema, IReadOnlyList<ListEntry> Scenarios);

/// <summary>What the table tells about a scenario.</summary>
internal sealed record ListEntry(
    string Id,
    string Number,
    string Title,
    int Year,
    IReadOnlyList<string> References,
    string Seed,
    IReadOnlyList<string> Tags,
    string Property,
    string Model,
    IReadOnlyList<string> Variants,
    IReadOnlyList<ParameterCard> Parameters)
{
    public static ListEntry Of(ScenarioCard card) => new(
        card.Id, card.Number, card.Title, card.Year, card.References, card.Seed, card.Tags, card.Property, card.Model,
        card.Variants, card.Parameters);
}

/// <summary>The JSON document of <c>explain --json</c>.</summary>
internal sealed record ExplainDocument(string Schema, ScenarioCard Scenario);
