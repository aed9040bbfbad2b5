namespace Shootdown.Check;

/// <summary>How to explore, and when to give up.</summary>
public sealed record CheckOptions
{
    /// <summary>Worker threads; 0 means one a core.</summary>
    public int Workers { get; init; }

    /// <summary>Worker threads as they are: at least one.</summary>
    internal int WorkerCount => Workers > 0 ? Workers : Environment.ProcessorCount;

    /// <summary>Bytes that the table of visited states may take; the check is inconclusive beyond.</summary>
    public long MemoryBytes { get; init; } = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4 * 3;

    /// <summary>Wall time after which the check is inconclusive; null for no limit.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>False explores every order of independent steps too.</summary>
    public bool Reduction { get; init; } = true;

    /// <summary>
    /// False chooses anew in every state, looks nowhere ahead, and repeats a pass in which anything at all was learned: the slow way to the
    /// same states, for comparing.
    /// </summary>
    public bool RemembersChoices { get; init; } = true;

    /// <summary>False tells apart states that differ only in the names of CPUs and pages that the model says are alike.</summary>
    public bool Symmetry { get; init; } = true;

    /// <summary>Told about twice a second.</summary>
    public IProgress<CheckProgress>? Progress { get; init; }

    /// <summary>Stops the check; what was found so far is reported.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Replays this schedule instead of exploring.</summary>
    public string? Schedule { get; init; }

    /// <summary>Random schedules to run instead of exploring; 0 for exploring.</summary>
    public long RandomRuns { get; init; }

    /// <summary>What random schedules are drawn from.</summary>
    public ulong RandomSeed { get; init; } = 1;

    /// <summary>States that the search for a minimal counterexample may visit before it settles for a short one.</summary>
    public int MinimiserStatesMax { get; init; } = 400_000;

    /// <summary>Collects a digest of the observable part of every final state (for comparing two explorations).</summary>
    public bool CollectFinalStates { get; init; }

    /// <summary>Why an exploration has to stop; null if it may go on.</summary>
    /// <param name="what">What takes the memory.</param>
    /// <param name="bytes">How much it takes.</param>
    /// <param name="elapsedSeconds">Wall time so far, in seconds.</param>
    internal string? WhyStop(string what, long bytes, double elapsedSeconds)
        => Cancellation.IsCancellationRequested ? "interrupted"
            : bytes > MemoryBytes ? $"{what} outgrew the memory bound ({MemoryBytes >> 20} MiB): raise --memory or lower the bounds"
            : Time is { } time && elapsedSeconds > time.TotalSeconds
                ? $"the time bound ({time.TotalSeconds:0.#} s) ran out: raise --time or lower the bounds"
            : null;
}
