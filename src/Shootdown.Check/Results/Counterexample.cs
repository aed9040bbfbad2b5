using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>A minimised, replayable run into a violation.</summary>
public sealed record Counterexample
{
    /// <summary>E.g. <c>P-ret</c>.</summary>
    public required string PropertyId { get; init; }

    /// <summary>One sentence: what went wrong.</summary>
    public required string Sentence { get; init; }

    /// <summary>One column an acting CPU or device, in order.</summary>
    public required IReadOnlyList<TraceColumn> Columns { get; init; }

    /// <summary>For a livelock: the number of steps before those that repeat for ever; null for all else.</summary>
    public int? CycleStart { get; init; }

    /// <summary>Every step in order; the report chooses which to show.</summary>
    public required IReadOnlyList<TraceStep> Steps { get; init; }

    /// <summary>The schedule as it is passed to <c>--schedule</c>.</summary>
    public required string Schedule { get; init; }

    /// <summary>Changes of the acting CPU along the run.</summary>
    public required int ContextSwitches { get; init; }

    /// <summary>True if no run has fewer context switches, or as few with fewer steps (proved by search).</summary>
    public required bool IsMinimal { get; init; }
}

/// <summary>A column of the diagram.</summary>
/// <param name="Name">E.g. <c>CPU0</c>.</param>
/// <param name="Role">E.g. <c>madvise</c>.</param>
public sealed record TraceColumn(string Name, string Role);

/// <summary>One step of a run.</summary>
public sealed record TraceStep
{
    /// <summary>Index into <see cref="Counterexample.Columns"/>.</summary>
    public required int Column { get; init; }

    /// <summary>What happens, e.g. <c>ptep_get_and_clear(0x1000)</c>; hardware events come in [ ].</summary>
    public required string Text { get; init; }

    /// <summary>Outcomes and hardware events that belong to the step, e.g. <c>[ TLB: stale entry, frame 3 ]</c>.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Kernel functions on the stack, outermost first, e.g. <c>madvise_dontneed, zap_pte_range</c>.</summary>
    public required IReadOnlyList<string> CallStack { get; init; }

    /// <summary>True if it runs in an interrupt handler of the column's CPU.</summary>
    public bool InInterrupt { get; init; }

    /// <summary>How much a reader cares: Key rows are always shown, Context rows where they delimit a window, Detail only in full.</summary>
    public StepWeight Weight { get; init; }

    /// <summary>True for the rows that decide (<c>&lt;--</c>).</summary>
    public bool IsDecisive { get; init; }
}
