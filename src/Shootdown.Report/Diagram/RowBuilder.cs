using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>Which helper rows to add to the steps that are shown.</summary>
/// <param name="FunctionRows">Fewest shown steps of a call that earn it a row with its name; 0 for no such rows.</param>
/// <param name="GapRows">True to mark left-out steps with <c>...</c>.</param>
/// <param name="CycleStart">Steps before those that repeat for ever, to mark where they begin; null if none do.</param>
internal sealed record RowStyle(int FunctionRows, bool GapRows, int? CycleStart = null);

/// <summary>Turns shown steps into rows: names of functions above their steps, interrupt blocks, and <c>...</c>.</summary>
internal sealed class RowBuilder
{
    /// <summary>Stands above the steps that repeat for ever.</summary>
    internal const string RepeatMark = "again and again:";

    private readonly IReadOnlyList<TraceStep> _steps;
    private readonly StepSet _shown;
    private readonly RowStyle _style;
    private readonly CallGroups _groups;
    private readonly List<DiagramRow> _rows = [];
    private readonly Dictionary<int, int> _lastShown = [];
    private bool _repeats;

    private RowBuilder(IReadOnlyList<TraceStep> steps, StepSet shown, RowStyle style)
    {
        _steps = steps;
        _shown = shown;
        _style = style;
        _groups = new CallGroups(steps, shown);
    }

    /// <summary>The rows of the diagram in order.</summary>
    public static IReadOnlyList<DiagramRow> Build(IReadOnlyList<TraceStep> steps, StepSet shown, RowStyle style)
    {
        var builder = new RowBuilder(steps, shown, style);
        for (int i = 0; i < steps.Count; i++)
        {
            if (shown.Contains(i))
            {
                builder.Add(i);
            }
        }

        return builder._rows;
    }

    private void Add(int index)
    {
        TraceStep step = _steps[index];
        CallGroup group = _groups.Of(index);
        bool isNamed = group.InInterrupt || (_style.FunctionRows > 0 && group.ShownSteps >= _style.FunctionRows);
        int depth = isNamed ? 1 : 0;
        if (index >= _style.CycleStart && !_repeats)
        {
            _repeats = true;
            _lastShown.Clear();
            _rows.Add(new DiagramRow { Column = step.Column, Text = RepeatMark });
        }

        bool isFirst = group.First == index;
        if (_style.GapRows)
        {
            AddGap(index, isFirst ? 0 : depth);
        }

        bool isEntry = CallGroups.IsEntry(step);
        if (isNamed && isFirst)
        {
            _rows.Add(new DiagramRow { Column = step.Column, Text = group.Name, IsDecisive = isEntry && step.IsDecisive });
        }

        if (!isEntry)
        {
            _rows.Add(RowOf(step, depth));
        }

        _lastShown[step.Column] = index;
    }

    private static DiagramRow RowOf(TraceStep step, int depth) => new()
    {
        Column = step.Column,
        Text = step.Text,
        Outcomes = [.. step.Notes.Where(note => !IsEvent(note)).Take(1).Where(note => IsRead(step.Text) || !IsValue(note))],
        Events = [.. step.Notes.Where(IsEvent)],
        Depth = depth,
        IsDecisive = step.IsDecisive,
    };

    /// <summary>Only a read is about the value that it found.</summary>
    private static bool IsRead(string text)
        => text.StartsWith("read ", StringComparison.Ordinal) || text.Contains("_get(", StringComparison.Ordinal)
            || text.EndsWith("++", StringComparison.Ordinal) || text.EndsWith("--", StringComparison.Ordinal);

    private static bool IsValue(string note) => note.StartsWith("is ", StringComparison.Ordinal);

    private static bool IsEvent(string note) => note.StartsWith('[');

    /// <summary>
    /// Marks what the column did since its last row, if that is worth a mark: more than taking and releasing things. A
    /// single step takes the place of the mark.
    /// </summary>
    private void AddGap(int index, int depth)
    {
        int column = _steps[index].Column;
        if (!_lastShown.TryGetValue(column, out int last) || _steps[last].InInterrupt || _steps[index].InInterrupt)
        {
            return;
        }

        var hidden = new List<TraceStep>();
        for (int i = last + 1; i < index; i++)
        {
            TraceStep step = _steps[i];
            if (step.Column == column && step.Weight != StepWeight.Detail && !step.InInterrupt
                && !CallText.IsDelimiter(step.Text) && !Exchanges.IsRepeatedNext(_steps, i))
            {
                hidden.Add(step);
            }
        }

        if (hidden.Count == 1)
        {
            _rows.Add(RowOf(hidden[0], depth));
        }
        else if (hidden.Count > 1)
        {
            _rows.Add(new DiagramRow { Column = column, Text = "...", Depth = depth });
        }
    }
}
