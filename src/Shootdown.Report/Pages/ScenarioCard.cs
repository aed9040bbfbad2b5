namespace Shootdown.Report;

/// <summary>What is told about a scenario without running it.</summary>
public sealed record ScenarioCard
{
    /// <summary>Short id.</summary>
    public required string Id { get; init; }

    /// <summary>Catalogue number; empty if it has none.</summary>
    public required string Number { get; init; }

    /// <summary>One line.</summary>
    public required string Title { get; init; }

    /// <summary>Year of the fix or report; 0 if it has none.</summary>
    public required int Year { get; init; }

    /// <summary>Commits and CVE numbers.</summary>
    public required IReadOnlyList<string> References { get; init; }

    /// <summary>Seed mail; empty if none.</summary>
    public required string Seed { get; init; }

    /// <summary>Tags for <c>--tag</c>.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary>The property that the bug violates.</summary>
    public required string Property { get; init; }

    /// <summary>The weakest memory model on which the bug shows.</summary>
    public required string Model { get; init; }

    /// <summary>The variants that exist: <c>bug</c> and <c>fix</c>, or one of them.</summary>
    public required IReadOnlyList<string> Variants { get; init; }

    /// <summary>The bounds that may be changed, with the catalogue's size.</summary>
    public required IReadOnlyList<ParameterCard> Parameters { get; init; }

    /// <summary>Paragraphs of plain text.</summary>
    public required string Story { get; init; }

    /// <summary>The race, one step a line.</summary>
    public required IReadOnlyList<string> Steps { get; init; }

    /// <summary>Where the facts come from.</summary>
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>What the catalogue expects, by variant and model.</summary>
    public required IReadOnlyList<ExpectationCard> Expectations { get; init; }
}

/// <summary>A bound of a scenario.</summary>
/// <param name="Name">Option name.</param>
/// <param name="Default">Value at the catalogue's size.</param>
/// <param name="Minimum">Smallest value.</param>
/// <param name="Maximum">Largest value.</param>
/// <param name="Help">What it bounds.</param>
public sealed record ParameterCard(string Name, int Default, int Minimum, int Maximum, string Help);

/// <summary>A verdict that the catalogue expects.</summary>
/// <param name="Variant"><c>bug</c> or <c>fix</c>.</param>
/// <param name="Model">Memory model.</param>
/// <param name="Verdict">In lower case.</param>
public sealed record ExpectationCard(string Variant, string Model, string Verdict);
