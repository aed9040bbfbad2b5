using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>An item of a seed mail with its answer.</summary>
public sealed record SeedEntry
{
    /// <summary>E.g. <c>S000-14</c>.</summary>
    public required string Id { get; init; }

    /// <summary>Lines of the mail.</summary>
    public required string Lines { get; init; }

    /// <summary>What the mail says.</summary>
    public required string Claim { get; init; }

    /// <summary>How it was put to the machine.</summary>
    public required string Experiment { get; init; }

    /// <summary><c>holds</c>, <c>refuted</c>, <c>depends</c> or <c>undecided</c>.</summary>
    public required string Verdict { get; init; }

    /// <summary>The verdict that was expected beforehand.</summary>
    public required string Expected { get; init; }

    /// <summary>Why, in a sentence.</summary>
    public required string Answer { get; init; }

    /// <summary>What is to be said where verdict and expectation differ.</summary>
    public required string Remark { get; init; }

    /// <summary>What was run.</summary>
    public required IReadOnlyList<SeedRunEntry> Runs { get; init; }

    /// <summary>Tables of the answer.</summary>
    public required IReadOnlyList<SeedTableEntry> Tables { get; init; }

    /// <summary>True if the verdict is the expected one.</summary>
    public bool AsExpected => Verdict == Expected;

    /// <summary>States of all checks.</summary>
    public long States => Runs.Sum(run => run.Result?.Stats.States ?? 0);

    /// <summary>Seconds of all checks, one after the other.</summary>
    public double Seconds => Runs.Sum(run => run.Result?.Stats.ElapsedSeconds ?? 0);
}

/// <summary>One run of an item.</summary>
/// <param name="Name">Name in the item.</param>
/// <param name="Outcome"><c>safe</c>, the violated property, or why there is no answer.</param>
/// <param name="Result">The check; null for what is none.</param>
/// <param name="Invocation">How to ask for it again; null for what is no check.</param>
/// <param name="Facts">Lines of a run that is no check.</param>
public sealed record SeedRunEntry(
    string Name, string Outcome, CheckReport? Result, CheckInvocation? Invocation, IReadOnlyList<string> Facts);

/// <summary>A table of an answer.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Columns">Heads.</param>
/// <param name="Rows">Rows of as many cells.</param>
public sealed record SeedTableEntry(string Title, IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows);
