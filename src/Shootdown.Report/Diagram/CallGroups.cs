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
    private readonly IReadOnlySet<int> _shown;
    private readonly Dictionary<int, CallGroup> _groupOfStep = [];

    public CallGroups(IReadOnlyList<TraceStep> steps, IReadOnlySet<int> shown)
    {
        _steps = steps;
        _shown = shown;
        foreach (IGrouping<int, int> column in Enumerable.Range(0, steps.Count).Where(i => !IsHardware(steps[i])).GroupBy(i => steps[i].Column))
        {
            NameCalls([.. column.Where(i => !steps[i].InInterrupt)]);
            NameInterrupts([.. column]);
        }
    }

    /// <summary>The group of a shown step.</summary>
    public CallGroup Of(int step) => _groupOfStep.GetValueOrDefault(step, CallGroup.None);

    /// <summary>True for the step with which a handler begins.</summary>
    public static bool IsEntry(TraceStep step) => step.InInterrupt && step.Text.Contains("IPI received", StringComparison.Ordinal);

    /// <summary>True for what a CPU's hardware does by itself (a store buffer drains): it belongs to no call.</summary>
    private static bool IsHardware(TraceStep step)
        => !step.InInterrupt && step.CallStack.Count <= 1 && step.Text.StartsWith('[');

    private void NameCalls(IReadOnlyList<int> own)
    {
        for (int k = 0; k < own.Count; k++)
        {
            if (!_shown.Contains(own[k]) || _groupOfStep.ContainsKey(own[k]))
            {
                continue;
            }

            (int first, int last, int level) = InnermostWithCompany(own, k, onlyShown: true);
            int[] members = Members(own, first, last);
            int direct = members.Count(member => LevelOf(own, member) == level);
            if (level <= 0 || direct <= members.Length - direct)
            {
                (first, last, level) = InnermostWithCompany(own, k, onlyShown: false);
                members = Members(own, first, last);
                bool isLoneEvent = members.Length == 1 && _steps[own[k]].Text.StartsWith('[');
                if (level <= 0 || !isLoneEvent)
                {
                    continue;
                }
            }

            AddGroup($"{_steps[own[k]].CallStack[level]}()", members, inInterrupt: false);
        }
    }

    private int LevelOf(IReadOnlyList<int> own, int step)
    {
        int k = 0;
        while (own[k] != step)
        {
            k++;
        }

        return InnermostWithCompany(own, k, onlyShown: true).Level;
    }

    private int[] Members(IReadOnlyList<int> own, int first, int last)
        => [.. own.Skip(first).Take(last - first + 1).Where(_shown.Contains)];

    /// <summary>The smallest call around a step that has a second step; its range of positions in the column.</summary>
    private (int First, int Last, int Level) InnermostWithCompany(IReadOnlyList<int> own, int k, bool onlyShown)
    {
        for (int level = _steps[own[k]].CallStack.Count - 1; level >= 0; level--)
        {
            int first = k;
            int last = k;
            while (first > 0 && IsSameCall(own[first - 1], own[k], level))
            {
                first--;
            }

            while (last + 1 < own.Count && IsSameCall(own[last + 1], own[k], level))
            {
                last++;
            }

            int company = onlyShown ? Members(own, first, last).Length : last - first + 1;
            if (company >= 2)
            {
                return (first, last, level);
            }
        }

        return (k, k, -1);
    }

    /// <summary>
    /// True if both steps stand in the same functions down to a level. Two calls of one function right after each other
    /// look like one: nothing in the steps tells them apart.
    /// </summary>
    private bool IsSameCall(int a, int b, int level)
    {
        IReadOnlyList<string> one = _steps[a].CallStack;
        IReadOnlyList<string> other = _steps[b].CallStack;
        return one.Count > level && one.Take(level + 1).SequenceEqual(other.Take(level + 1));
    }

    private void NameInterrupts(IReadOnlyList<int> own)
    {
        for (int k = 0; k < own.Count;)
        {
            int end = k + 1;
            while (end < own.Count && _steps[own[k]].InInterrupt && _steps[own[end]].InInterrupt && !IsEntry(_steps[own[end]]))
            {
                end++;
            }

            int[] members = [.. own.Skip(k).Take(end - k).Where(i => _steps[i].InInterrupt && _shown.Contains(i))];
            if (members.Length > 0)
            {
                AddGroup(HandlerName([.. own.Skip(k).Take(end - k).Select(i => _steps[i])]), members, inInterrupt: true);
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
        TraceStep[] telling = visible.Length > 0 ? visible : [.. inner.OrderByDescending(step => step.CallStack.Count).Take(1)];
        if (telling.Length == 0)
        {
            return "<IPI>";
        }

        IReadOnlyList<string> common = telling[0].CallStack;
        int depth = common.Count;
        foreach (TraceStep step in telling)
        {
            depth = Math.Min(depth, common.Zip(step.CallStack).TakeWhile(pair => pair.First == pair.Second).Count());
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
}
