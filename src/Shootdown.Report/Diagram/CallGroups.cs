using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>Shown steps of one column that run in one call of one function, or in one interrupt.</summary>
internal sealed class CallGroup
{
    /// <summary>The function's name; empty for the operation that the column's header names.</summary>
    public required string Function { get; init; }

    /// <summary>Index of the first shown step.</summary>
    public required int First { get; init; }

    /// <summary>True for an interrupt handler.</summary>
    public required bool InInterrupt { get; init; }

    /// <summary>Number of shown steps.</summary>
    public int ShownSteps { get; set; }
}

/// <summary>Divides the shown steps of every column into calls.</summary>
internal sealed class CallGroups
{
    private readonly IReadOnlyList<TraceStep> _steps;
    private readonly Dictionary<int, CallGroup> _groupOfStep = [];

    public CallGroups(IReadOnlyList<TraceStep> steps, IReadOnlySet<int> shown)
    {
        _steps = steps;
        foreach (IGrouping<int, int> column in Enumerable.Range(0, steps.Count).GroupBy(i => steps[i].Column))
        {
            Divide([.. column], shown);
        }
    }

    /// <summary>The call that a shown step belongs to.</summary>
    public CallGroup Of(int step) => _groupOfStep[step];

    private void Divide(IReadOnlyList<int> own, IReadOnlySet<int> shown)
    {
        CallGroup? group = null;
        int last = -1;
        int entry = -1;
        for (int k = 0; k < own.Count; k++)
        {
            TraceStep step = _steps[own[k]];
            if (step.InInterrupt && (k == 0 || !_steps[own[k - 1]].InInterrupt || IsEntry(step)))
            {
                entry = own[k];
                group = null;
            }

            if (!shown.Contains(own[k]))
            {
                continue;
            }

            if (IsHardware(step))
            {
                _groupOfStep[own[k]] = new CallGroup { Function = string.Empty, First = own[k], InInterrupt = false };
                continue;
            }

            if (group is null || !IsSameCall(own, last, k))
            {
                group = NewGroup(own[k], entry);
            }

            group.ShownSteps++;
            _groupOfStep[own[k]] = group;
            last = k;
        }
    }

    private CallGroup NewGroup(int index, int entry)
    {
        TraceStep step = _steps[index];
        if (step.InInterrupt)
        {
            return new CallGroup { Function = HandlerOf(step, _steps[entry]), First = index, InInterrupt = true };
        }

        string function = step.CallStack.Count >= 2 ? step.CallStack[^1] : string.Empty;
        return new CallGroup { Function = function, First = index, InInterrupt = false };
    }

    /// <summary>The first function that the entry code called, or the entry code itself.</summary>
    private static string HandlerOf(TraceStep step, TraceStep entry)
    {
        int common = IsEntry(entry) ? entry.CallStack.Count : 0;
        return step.CallStack.Count > common ? step.CallStack[common]
            : step.CallStack.Count > 0 ? step.CallStack[^1] : "interrupt";
    }

    /// <summary>True for what a CPU's hardware does by itself (a store buffer drains): it belongs to no call.</summary>
    private static bool IsHardware(TraceStep step)
        => !step.InInterrupt && step.CallStack.Count <= 1 && step.Text.StartsWith('[');

    private static bool IsEntry(TraceStep step) => step.Text.Contains("IPI received", StringComparison.Ordinal);

    /// <summary>
    /// True if the column never left the function between two of its steps. Two calls of one function right after
    /// each other look like one; nothing in the step tells them apart.
    /// </summary>
    private bool IsSameCall(IReadOnlyList<int> own, int from, int to)
    {
        TraceStep first = _steps[own[from]];
        TraceStep last = _steps[own[to]];
        if (first.InInterrupt || last.InInterrupt)
        {
            return first.InInterrupt == last.InInterrupt;
        }

        int depth = first.CallStack.Count;
        if (last.CallStack.Count != depth)
        {
            return false;
        }

        for (int k = from + 1; k <= to; k++)
        {
            TraceStep step = _steps[own[k]];
            if (!step.InInterrupt && !IsHardware(step) && (step.CallStack.Count < depth || (depth > 0 && step.CallStack[depth - 1] != first.CallStack[depth - 1])))
            {
                return false;
            }
        }

        return true;
    }
}
