namespace Shootdown.Machine;

/// <summary>A property that a step violated.</summary>
/// <param name="PropertyId">E.g. <c>P-life</c>.</param>
/// <param name="Sentence">One sentence that says what went wrong, with the names of the run.</param>
public sealed record Violation(string PropertyId, string Sentence);
