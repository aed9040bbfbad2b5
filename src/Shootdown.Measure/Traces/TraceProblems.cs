namespace Shootdown.Measure;

/// <summary>What can be wrong with a trace.</summary>
public enum TraceProblemKind
{
    /// <summary>A line that is no event, header or stack frame.</summary>
    UnreadableLine,

    /// <summary>An event without a field that it should have, or with a value that is no number.</summary>
    MissingField,

    /// <summary>A line longer than <see cref="TraceLines.LengthMax"/>.</summary>
    LineTooLong,

    /// <summary>Events that the recorder says it dropped (LOST n EVENTS).</summary>
    LostEvents,

    /// <summary>Events that newer ones have overwritten in the ring before it was read.</summary>
    OverwrittenEvents,

    /// <summary>A CPU that switches away from a task that it was not switched to: events between are not in the trace.</summary>
    MissingEvents,

    /// <summary>An event that is older than one before it on its CPU.</summary>
    BackwardTime,

    /// <summary>A step of time so large that two clocks must have been mixed.</summary>
    ClockJump,

    /// <summary>A timestamp without a unit, such as a cycle counter.</summary>
    ClockWithoutUnit,

    /// <summary>A tlb_flush reason that no known kernel has.</summary>
    UnknownReason,

    /// <summary>The input ends within a line or within its compressed data.</summary>
    Truncated,

    /// <summary>Timestamps with a decimal comma; they are read.</summary>
    DecimalComma,
}

/// <summary>One kind of problem of a trace.</summary>
/// <param name="Kind">What is wrong.</param>
/// <param name="Count">How often; for lost events how many.</param>
/// <param name="Lines">The first lines that have it, counted from 1.</param>
/// <param name="Detail">What was found first.</param>
public sealed record TraceProblem(TraceProblemKind Kind, long Count, IReadOnlyList<long> Lines, string Detail)
{
    /// <summary>True if figures may be wrong because of it: something that happened is not counted, or in a wrong order.</summary>
    public bool AffectsTotals => Kind != TraceProblemKind.DecimalComma;
}

/// <summary>Collects what is wrong with a trace: counted all, named the first few.</summary>
public sealed class TraceProblems
{
    private const int LinesMax = 5;

    private readonly SortedDictionary<TraceProblemKind, (long Count, List<long> Lines, string Detail)> _found = [];

    /// <summary>All problems, the worst kind first.</summary>
    public IReadOnlyList<TraceProblem> All
        => [.. _found.Select(pair => new TraceProblem(pair.Key, pair.Value.Count, pair.Value.Lines, pair.Value.Detail))];

    /// <summary>How often a problem was found.</summary>
    public long Count(TraceProblemKind kind) => _found.TryGetValue(kind, out (long Count, List<long>, string) entry) ? entry.Count : 0;

    /// <summary>Notes problems of a kind that were collected elsewhere.</summary>
    public void Add(TraceProblem problem) => _found[problem.Kind] = (problem.Count, [.. problem.Lines], problem.Detail);

    /// <summary>Notes a problem of a line.</summary>
    public void Add(TraceProblemKind kind, long line, string detail, long count = 1)
    {
        (long Count, List<long> Lines, string Detail) entry = _found.TryGetValue(kind, out (long Count, List<long> Lines, string Detail) old)
            ? old
            : (0, [], detail);
        if (entry.Lines.Count < LinesMax)
        {
            entry.Lines.Add(line);
        }

        _found[kind] = entry with { Count = entry.Count + count };
    }
}

/// <summary>A trace cannot be read at all. The message says why and what to do.</summary>
public sealed class TraceFormatException(string message) : Exception(message);
