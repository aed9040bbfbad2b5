using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>One machine of a matrix of operations, and what came out.</summary>
/// <param name="Operations">Ids of the operations.</param>
/// <param name="Machine">What is around them, e.g. <c>same-anonymous-busy</c>.</param>
/// <param name="Result">The result of its check.</param>
/// <param name="JudgedNothing">True if it is clean because nothing was there to judge.</param>
/// <param name="Invocation">How to ask for it again.</param>
public sealed record MatrixEntry(
    IReadOnlyList<string> Operations, string Machine, CheckReport Result, bool JudgedNothing, CheckInvocation Invocation);

/// <summary>A matrix of operations.</summary>
/// <param name="Kernel">What kernel it was run on, e.g. <c>correct core</c>.</param>
/// <param name="Model">Memory model.</param>
/// <param name="Operations">Ids of all operations, in order.</param>
/// <param name="Entries">The machines that were run.</param>
/// <param name="NotRun">How many were not.</param>
/// <param name="Hints">What to try if a bug that was switched on is not found.</param>
public sealed record MatrixReport(
    string Kernel,
    string Model,
    IReadOnlyList<string> Operations,
    IReadOnlyList<MatrixEntry> Entries,
    int NotRun,
    IReadOnlyList<string> Hints)
{
    /// <summary>Wall time of the whole run.</summary>
    public double ElapsedSeconds { get; init; }
}
