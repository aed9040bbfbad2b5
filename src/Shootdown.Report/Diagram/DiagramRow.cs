namespace Shootdown.Report;

/// <summary>One row of a diagram: an event of one column, before it is fitted to a width.</summary>
public sealed record DiagramRow
{
    /// <summary>Which CPU or device acts.</summary>
    public required int Column { get; init; }

    /// <summary>What happens.</summary>
    public required string Text { get; init; }

    /// <summary>What came of it, in words, e.g. <c>is none</c>.</summary>
    public IReadOnlyList<string> Outcomes { get; init; } = [];

    /// <summary>What the hardware did with it, in brackets.</summary>
    public IReadOnlyList<string> Events { get; init; } = [];

    /// <summary>Nesting, in steps of two spaces: below a function's name, inside an interrupt.</summary>
    public int Depth { get; init; }

    /// <summary>True if it gets an arrow.</summary>
    public bool IsDecisive { get; init; }
}
