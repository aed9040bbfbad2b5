using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>What one exploration found.</summary>
public sealed record ExplorationResult
{
    /// <summary>The violation, if one was reached.</summary>
    public Violation? Violation { get; init; }

    /// <summary>The steps from the initial state to it; the last one violates.</summary>
    public IReadOnlyList<Step> Path { get; init; } = [];

    /// <summary>For a livelock: the number of steps before those that repeat for ever; null for all else.</summary>
    public int? CycleStart { get; init; }

    /// <summary>States in which a program must still end; counted only for <see cref="PProgress"/>.</summary>
    public long UnfinishedStates { get; init; }

    /// <summary>True if every interleaving was explored, by one worker, without reduction and symmetry.</summary>
    internal bool IsWholeGraph { get; init; }

    /// <summary>Why the exploration is not exhaustive; null if it is.</summary>
    public string? Incomplete { get; init; }

    /// <summary>Random schedules that were run; 0 if states were explored.</summary>
    public long RandomRuns { get; init; }

    /// <summary>Distinct states; 0 for random schedules.</summary>
    public long States { get; init; }

    /// <summary>Steps taken.</summary>
    public long Transitions { get; init; }

    /// <summary>Final states reached.</summary>
    public long Executions { get; init; }

    /// <summary>Length of the longest path.</summary>
    public int DepthMax { get; init; }

    /// <summary>Bytes of the table of visited states.</summary>
    public long TableBytes { get; init; }

    /// <summary>Judgements by property slot.</summary>
    public IReadOnlyList<long> Judgements { get; init; } = [];

    /// <summary>True if what the pass relied on still held when it ended, so that it need not be repeated.</summary>
    internal bool ChoicesStand { get; init; } = true;

    /// <summary>What the runs cost, if a property asked for it.</summary>
    public CostReport? Costs { get; init; }

    /// <summary>Digests of the observable part of the final states, if asked for.</summary>
    public IReadOnlySet<UInt128> FinalStates { get; init; } = new HashSet<UInt128>();
}
