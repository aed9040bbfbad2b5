namespace Shootdown.Check;

/// <summary>A snapshot of a running exploration, for the live line.</summary>
/// <param name="Phase">E.g. <c>exploring</c>, <c>minimising</c>.</param>
/// <param name="States">Distinct states so far; schedules if they are random.</param>
/// <param name="Transitions">Steps so far.</param>
/// <param name="Depth">Current depth of the first worker.</param>
/// <param name="TableBytes">Memory of the table of visited states.</param>
/// <param name="ElapsedSeconds">Wall time so far.</param>
public sealed record CheckProgress(string Phase, long States, long Transitions, int Depth, long TableBytes, double ElapsedSeconds)
{
    /// <summary>The phase in which random schedules run.</summary>
    public const string RandomRuns = "random";
}
