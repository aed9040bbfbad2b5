using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>
/// Chooses what of a run is shown. Key steps always; then, while the diagram stays small enough to be read, in this order:
/// interrupts that were taken, what the code saw in page-table entries, the windows in which others act, names of
/// functions, words that columns exchange, hand-over of locks, and marks for what is left out.
/// </summary>
public static class RowSelection
{
    /// <summary>A diagram with fewer rows does not explain itself.</summary>
    public const int RowsMin = 6;

    /// <summary>Rows above which nothing is added to the key steps.</summary>
    public const int RowsMax = 14;

    private const int RowsBeforeNames = 12;
    private const int RaceWindowsAColumn = 2;

    private static readonly RowStyle Plain = new(0, false);

    /// <summary>The rows of a counterexample's diagram.</summary>
    public static IReadOnlyList<DiagramRow> Choose(Counterexample run)
    {
        IReadOnlyList<TraceStep> steps = run.CycleStart is null ? UpToDecision(run.Steps) : run.Steps;
        var shown = new StepSet(steps.Count);
        for (int i = 0; i < steps.Count; i++)
        {
            if (steps[i].Weight == StepWeight.Key || steps[i].IsDecisive || i == steps.Count - 1)
            {
                shown.Add(i);
            }
        }

        AddCycle(steps, run.CycleStart ?? steps.Count, shown);
        AddInterrupts(steps, shown);
        AddEntryReads(steps, shown);
        IReadOnlyList<Window> windows = Windows.Find(steps);
        if (run.PropertyId == "P-atomic")
        {
            AddHeldLocks(steps, windows, shown);
        }

        AddRaceWindows(steps, windows, shown);
        RowStyle style = StyleFor(steps, shown) with { CycleStart = run.CycleStart };
        AddWordReads(steps, shown, style);
        AddHandOvers(steps, windows, shown, style);
        FillUp(steps, windows, shown, style);

        RowStyle withGaps = style with { GapRows = true };
        return RowBuilder.Build(steps, shown, Count(steps, shown, withGaps) <= RowsMax ? withGaps : style);
    }

    /// <summary>
    /// What is judged at the end of all programs is decided earlier; the steps that follow only bring the run to its end.
    /// </summary>
    private static IReadOnlyList<TraceStep> UpToDecision(IReadOnlyList<TraceStep> steps)
    {
        for (int last = steps.Count - 1; last >= 0; last--)
        {
            if (steps[last].IsDecisive)
            {
                return [.. steps.Take(last + 1)];
            }
        }

        return steps;
    }

    /// <summary>What repeats for ever is shown, locks and all, as far as it is not only bookkeeping.</summary>
    private static void AddCycle(IReadOnlyList<TraceStep> steps, int start, StepSet shown)
    {
        bool hasMore = steps.Skip(start).Any(step => step.Weight != StepWeight.Detail);
        for (int i = start; i < steps.Count; i++)
        {
            if (!hasMore || steps[i].Weight != StepWeight.Detail)
            {
                shown.Add(i);
            }
        }
    }

    /// <summary>Names for all calls, for the larger ones, or for none.</summary>
    private static RowStyle StyleFor(IReadOnlyList<TraceStep> steps, StepSet shown)
    {
        var all = new RowStyle(1, false);
        var larger = new RowStyle(2, false);
        return Count(steps, shown, all) <= RowsMax ? all : Count(steps, shown, larger) <= RowsMax ? larger : Plain;
    }

    private static int Count(IReadOnlyList<TraceStep> steps, StepSet shown, RowStyle style)
        => RowBuilder.Build(steps, shown, style).Count;

    private static bool TryAdd(IReadOnlyList<TraceStep> steps, StepSet shown, RowStyle style, int rowsMax, params int[] extra)
    {
        StepSet trial = shown.Copy();
        foreach (int step in extra)
        {
            trial.Add(step);
        }

        if (Count(steps, trial, style) > rowsMax)
        {
            return false;
        }

        shown.Add(trial);
        return true;
    }

    /// <summary>A handler that shows nothing else: that it ran, and did nothing, may be the whole point.</summary>
    private static void AddInterrupts(IReadOnlyList<TraceStep> steps, StepSet shown)
    {
        for (int entry = 0; entry < steps.Count; entry++)
        {
            if (CallGroups.IsEntry(steps[entry]) && !ShowsHandler(steps, entry, shown))
            {
                TryAdd(steps, shown, Plain, RowsBeforeNames, entry);
            }
        }
    }

    private static bool ShowsHandler(IReadOnlyList<TraceStep> steps, int entry, StepSet shown)
    {
        for (int i = entry + 1; i < steps.Count; i++)
        {
            if (steps[i].Column != steps[entry].Column)
            {
                continue;
            }

            if (!steps[i].InInterrupt || CallGroups.IsEntry(steps[i]))
            {
                return false;
            }

            if (shown.Contains(i))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What the code saw in entries that others changed; first on the columns that show least.</summary>
    private static void AddEntryReads(IReadOnlyList<TraceStep> steps, StepSet shown)
    {
        List<int> reads = Exchanges.EntryReads(steps);
        while (reads.Count > 0)
        {
            int least = reads[0];
            foreach (int read in reads)
            {
                least = ShownOf(steps[read].Column) < ShownOf(steps[least].Column) ? read : least;
            }

            TryAdd(steps, shown, Plain, RowsBeforeNames, least);
            reads.Remove(least);
        }

        int ShownOf(int column) => shown.Count(i => steps[i].Column == column);
    }

    private static void AddWordReads(IReadOnlyList<TraceStep> steps, StepSet shown, RowStyle style)
    {
        foreach (Exchange exchange in Exchanges.WordReads(steps))
        {
            TryAdd(steps, shown, style, RowsMax, exchange.Read, exchange.Write);
        }
    }

    private static void AddRaceWindows(IReadOnlyList<TraceStep> steps, IReadOnlyList<Window> windows, StepSet shown)
    {
        var race = windows.Where(w => Windows.Judge(w, windows, steps, shown) == Windows.Worth.Race)
            .OrderBy(w => w.Span(steps.Count)).GroupBy(w => w.Column).SelectMany(g => g.Take(RaceWindowsAColumn)).ToList();
        foreach (Window window in race)
        {
            TryAdd(steps, shown, Plain, RowsBeforeNames, window.Open, window.Close ?? window.Open);
        }
    }

    /// <summary>What the last step's column took and did not give back: what it must not sleep with.</summary>
    private static void AddHeldLocks(IReadOnlyList<TraceStep> steps, IReadOnlyList<Window> windows, StepSet shown)
    {
        foreach (Window window in windows.Where(w => w.Close is null && w.Column == steps[^1].Column))
        {
            TryAdd(steps, shown, Plain, RowsMax, window.Open);
        }
    }

    /// <summary>Both sides of a hand-over or neither: half of it would mislead.</summary>
    private static void AddHandOvers(IReadOnlyList<TraceStep> steps, IReadOnlyList<Window> windows, StepSet shown, RowStyle style)
    {
        var handed = windows.Where(w => Windows.Judge(w, windows, steps, shown) == Windows.Worth.HandOver)
            .GroupBy(w => CallText.ObjectOf(w.Text)).OrderBy(g => g.Min(w => w.Span(steps.Count))).ToList();
        foreach (IGrouping<string, Window> sides in handed)
        {
            int[] ends = [.. sides.SelectMany(w => new[] { w.Open, w.Close ?? w.Open })];
            TryAdd(steps, shown, style, RowsMax, ends);
        }
    }

    /// <summary>A very short run gets the context steps that stand nearest to what is shown; windows only as a whole.</summary>
    private static void FillUp(IReadOnlyList<TraceStep> steps, IReadOnlyList<Window> windows, StepSet shown, RowStyle style)
    {
        while (Count(steps, shown, style) < RowsMin)
        {
            int next = NearestContext(steps, shown);
            if (next < 0)
            {
                return;
            }

            shown.Add(next);
            foreach (Window window in windows.Where(w => w.Open == next || w.Close == next))
            {
                shown.Add(window.Open);
                shown.Add(window.Close ?? window.Open);
            }
        }
    }

    /// <summary>The best context step that is not shown; -1 if all are.</summary>
    private static int NearestContext(IReadOnlyList<TraceStep> steps, StepSet shown)
    {
        int best = -1;
        int least = int.MaxValue;
        for (int i = 0; i < steps.Count; i++)
        {
            if (steps[i].Weight == StepWeight.Context && !shown.Contains(i) && DistanceOf(i) < least)
            {
                best = i;
                least = DistanceOf(i);
            }
        }

        return best;

        // Another column is further away than any step of the own one, and a lock than anything else.
        int DistanceOf(int step)
        {
            int nearest = 3 * steps.Count;
            shown.Count(other =>
            {
                nearest = Math.Min(nearest, Math.Abs(other - step) + (steps[other].Column == steps[step].Column ? 0 : steps.Count));
                return true;
            });
            return nearest + (CallText.IsDelimiter(steps[step].Text) ? 3 * steps.Count : 0);
        }
    }
}
