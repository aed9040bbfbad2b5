namespace Shootdown.Check;

/// <summary>Everything that a user is told about one check of one variant of one scenario.</summary>
public sealed record CheckReport
{
    /// <summary>The catalogue's short id, e.g. <c>madv-dontneed-parallel</c>.</summary>
    public required string ScenarioId { get; init; }

    /// <summary>Catalogue number, e.g. <c>B02</c>; empty for a user's scenario.</summary>
    public required string Number { get; init; }

    /// <summary>One line.</summary>
    public required string Title { get; init; }

    /// <summary><c>bug</c> or <c>fix</c>.</summary>
    public required string Variant { get; init; }

    /// <summary>The answer.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>What the catalogue says the answer must be at this size and model; null if it says nothing.</summary>
    public Verdict? Expected { get; init; }

    /// <summary>For inconclusive and unsupported: why, and what to do about it. Empty otherwise.</summary>
    public string Reason { get; init; } = string.Empty;

    /// <summary><c>sc</c> or <c>x86-tso</c>.</summary>
    public required string Model { get; init; }

    /// <summary>All bounds of the machine, in order, e.g. (cpus, 3), (pages, 1), (store buffer, 4).</summary>
    public required IReadOnlyList<Bound> Bounds { get; init; }

    /// <summary>
    /// Of several machines that were checked one after the other, the one that decided: the bound that names it. Null if there was one only, or if
    /// all passed.
    /// </summary>
    public Bound? OneOfAll { get; init; }

    /// <summary>Numbers of the exploration.</summary>
    public required ExplorationStats Stats { get; init; }

    /// <summary>How often each checked property was exercised.</summary>
    public required IReadOnlyList<PropertyCoverage> Coverage { get; init; }

    /// <summary>What the runs cost; null unless <see cref="PCost"/> was asked for.</summary>
    public CostReport? Costs { get; init; }

    /// <summary>Why costs that were asked for could not be counted; empty otherwise.</summary>
    public string CostsReason { get; init; } = string.Empty;

    /// <summary>The violation, if any.</summary>
    public Counterexample? Counterexample { get; init; }
}

/// <summary>A bound within which the verdict holds.</summary>
/// <param name="Name">E.g. <c>cpus</c>.</param>
/// <param name="Value">E.g. <c>3</c>.</param>
public sealed record Bound(string Name, string Value);

/// <summary>How often a property had something to judge.</summary>
/// <param name="PropertyId">E.g. <c>P-ret</c>.</param>
/// <param name="TimesExercised">Steps in which it was judged; 0 makes a clean run inconclusive.</param>
/// <param name="What">What an exercise is, e.g. <c>accesses after a promise</c>.</param>
public sealed record PropertyCoverage(string PropertyId, long TimesExercised, string What);

/// <summary>Numbers of an exploration.</summary>
public sealed record ExplorationStats
{
    /// <summary>Random schedules that were run; 0 if states were explored.</summary>
    public long RandomRuns { get; init; }

    /// <summary>Distinct states visited; 0 for random schedules, which do not tell.</summary>
    public long States { get; init; }

    /// <summary>Steps taken, also those to known states.</summary>
    public long Transitions { get; init; }

    /// <summary>Final states reached: paths that ran to the end of every program. 0 for programs that never end.</summary>
    public long Executions { get; init; }

    /// <summary>Length of the longest path.</summary>
    public int DepthMax { get; init; }

    /// <summary>Wall time.</summary>
    public double ElapsedSeconds { get; init; }

    /// <summary>True if nothing within the bounds was left out.</summary>
    public bool Exhaustive { get; init; }

    /// <summary>Worker threads.</summary>
    public int Workers { get; init; }

    /// <summary>True if partial-order reduction was on.</summary>
    public bool Reduced { get; init; }

    /// <summary>True if states that differ only in the names of interchangeable CPUs and pages count once.</summary>
    public bool Symmetric { get; init; }

    /// <summary>Bytes of the table of visited states.</summary>
    public long TableBytes { get; init; }

    /// <summary>Peak resident memory of the process in bytes.</summary>
    public long PeakMemoryBytes { get; init; }
}
