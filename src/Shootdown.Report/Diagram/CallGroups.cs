using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>Shown steps that stand together below one name: of a call, or of an interrupt.</summary>
internal sealed class CallGroup
{
    /// <summary>A step below no name: the column's header says enough.</summary>
    public static CallGroup None { get; } = new() { Name = string.Empty, First = -1, ShownSteps = 0, InInterrupt = false };

    /// <summary>The row above the steps.</summary>
    public required string Name { get; init; }

    /// <summary>Index of the first shown step.</summary>
    public required int First { get; init; }

    /// <summary>Number of shown steps.</summary>
    public required int ShownSteps { get; init; }

    /// <summary>True for an interrupt handler.</summary>
    public required bool InInterrupt { get; init; }
}

/// <summary>
/// Finds names for what is shown. A call earns a name if it has at least two shown steps and no smaller call has; the
/// primitives that the kernel wraps around every single step would only repeat it. A smaller call goes up in a larger one
/// of which it is the lesser part. A lone hardware event is named as well, since it does not say who caused it. What
/// contains mostly other named calls is what the column is about.
/// </summary>
internal sealed class CallGroups
{
    private readonly IReadOnlyList<TraceStep> _steps;
    private readonly StepSet _shown;
    private readonly CallGroup?[] _groupOfStep;

    public CallGroups(IReadOnlyList<TraceStep> steps, StepSet shown)
    {
        _steps = steps;
        _shown = shown;
        _groupOfStep = new CallGroup?[steps.Count];
        int columns = steps.Count == 0 ? 0 : steps.Max(step => step.Column) + 1;
        for (int column = 0; column < columns; column++)
        {
            NameCalls(OwnSteps(column, withInterrupts: false));
            NameInterrupts(OwnSteps(column, withInterrupts: true));
        }
    }

    /// <summary>The group of a shown step.</summary>
    public CallGroup Of(int step) => _groupOfStep[step] ?? CallGroup.None;

    /// <summary>True for the step with which a handler begins.</summary>
    public static bool IsEntry(TraceStep step) => step.InInterrupt && step.Text.Contains("IPI received", StringComparison.Ordinal);

    /// <summary>True for what a CPU's hardware does by itself (a store buffer drains): it belongs to no call.</summary>
    private static bool IsHardware(TraceStep step)
        => !step.InInterrupt && step.CallStack.Count <= 1 && step.Text.StartsWith('[');

    private int[] OwnSteps(int column, bool withInterrupts)
    {
        var own = new List<int>();
        for (int i = 0; i < _steps.Count; i++)
        {
            TraceStep step = _steps[i];
            if (step.Column == column && !IsHardware(step) && (withInterrupts || !step.InInterrupt))
            {
                own.Add(i);
            }
        }

        return own.ToArray();
    }

    private void NameCalls(int[] own)
    {
        for (int k = 0; k < own.Length; k++)
        {
            if (!_shown.Contains(own[k]) || _groupOfStep[own[k]] is not null)
            {
                continue;
            }

            Call call = InnermostWithCompany(own, k, onlyShown: true);
            int[] members = Members(own, call.First, call.Last);
            int direct = 0;
            foreach (int member in members)
            {
                direct += InnermostWithCompany(own, Array.IndexOf(own, member), onlyShown: true).Level == call.Level ? 1 : 0;
            }

            if (call.Level <= 0 || direct <= members.Length - direct)
            {
                call = InnermostWithCompany(own, k, onlyShown: false);
                members = Members(own, call.First, call.Last);
                bool isLoneEvent = members.Length == 1 && _steps[own[k]].Text.StartsWith('[');
                if (call.Level <= 0 || !isLoneEvent)
                {
                    continue;
                }
            }

            AddGroup($"{_steps[own[k]].CallStack[call.Level]}()", members, inInterrupt: false);
        }
    }

    private int[] Members(int[] own, int first, int last)
    {
        var members = new List<int>();
        for (int k = first; k <= last; k++)
        {
            if (_shown.Contains(own[k]))
            {
                members.Add(own[k]);
            }
        }

        return members.ToArray();
    }

    /// <summary>The smallest call around a step that has a second step.</summary>
    private Call InnermostWithCompany(int[] own, int k, bool onlyShown)
    {
        for (int level = _steps[own[k]].CallStack.Count - 1; level >= 0; level--)
        {
            int first = k;
            int last = k;
            while (first > 0 && IsSameCall(own[first - 1], own[k], level))
            {
                first--;
            }

            while (last + 1 < own.Length && IsSameCall(own[last + 1], own[k], level))
            {
                last++;
            }

            int company = onlyShown ? Members(own, first, last).Length : last - first + 1;
            if (company >= 2)
            {
                return new Call(first, last, level);
            }
        }

        return new Call(k, k, -1);
    }

    /// <summary>
    /// True if both steps stand in the same functions down to a level. Two calls of one function right after each other
    /// look like one: nothing in the steps tells them apart.
    /// </summary>
    private bool IsSameCall(int a, int b, int level)
    {
        IReadOnlyList<string> one = _steps[a].CallStack;
        IReadOnlyList<string> other = _steps[b].CallStack;
        for (int i = 0; i <= level; i++)
        {
            if (i >= one.Count || one[i] != other[i])
            {
                return false;
            }
        }

        return true;
    }

    private void NameInterrupts(int[] own)
    {
        for (int k = 0; k < own.Length;)
        {
            int end = k + 1;
            while (end < own.Length && _steps[own[k]].InInterrupt && _steps[own[end]].InInterrupt && !IsEntry(_steps[own[end]]))
            {
                end++;
            }

            int[] members = _steps[own[k]].InInterrupt ? Members(own, k, end - 1) : [];
            if (members.Length > 0)
            {
                var handler = new List<TraceStep>();
                for (int i = k; i < end; i++)
                {
                    handler.Add(_steps[own[i]]);
                }

                AddGroup(HandlerName(handler), members, inInterrupt: true);
            }

            k = end;
        }
    }

    /// <summary>
    /// The function in which all of the handler's visible steps stand, e.g. <c>&lt;IPI&gt; flush_tlb_func()</c>. A flush
    /// that comes to its end without one has flushed nothing, which is what a reader wants to know.
    /// </summary>
    private static string HandlerName(IReadOnlyList<TraceStep> handler)
    {
        int entryDepth = IsEntry(handler[0]) ? handler[0].CallStack.Count : 0;
        TraceStep[] inner = [.. handler.Where(step => step.CallStack.Count > entryDepth)];
        TraceStep[] visible = [.. inner.Where(step => step.Weight != StepWeight.Detail)];
        TraceStep[] telling = visible.Length > 0 ? visible : inner.Length > 0 ? [inner.MaxBy(step => step.CallStack.Count)!] : [];
        if (telling.Length == 0)
        {
            return "<IPI>";
        }

        IReadOnlyList<string> common = telling[0].CallStack;
        int depth = common.Count;
        foreach (TraceStep step in telling)
        {
            int same = 0;
            while (same < depth && same < step.CallStack.Count && common[same] == step.CallStack[same])
            {
                same++;
            }

            depth = same;
        }

        string function = common[Math.Max(depth - 1, Math.Min(entryDepth, common.Count - 1))];
        bool isOver = handler[^1].CallStack.Count <= entryDepth;
        bool flushedNothing = isOver && visible.Length == 0 && function.Contains("flush", StringComparison.Ordinal);
        return $"<IPI> {function}(){(flushedNothing ? " flushes nothing" : string.Empty)}";
    }

    private void AddGroup(string name, int[] members, bool inInterrupt)
    {
        var group = new CallGroup { Name = name, First = members[0], ShownSteps = members.Length, InInterrupt = inInterrupt };
        foreach (int member in members)
        {
            _groupOfStep[member] = group;
        }
    }

    /// <summary>A call as positions in its column, and its level on their call stacks; level -1 for none.</summary>
    private sealed record Call(int First, int Last, int Level);
}
