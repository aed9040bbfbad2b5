using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>
/// Chooses what of a run is shown. Key steps always; then, while the diagram stays small enough to be read, in this order:
/// interrupts that were taken, what the code saw in page-table entries, the windows in which others act, names of functions, words that columns exchange,
/// hand-over of locks, and marks for what is left out.
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
        IReadOnlyList<TraceStep> steps = run.Steps;
        var shown = new SortedSet<int>(Enumerable.Range(0, steps.Count)
            .Where(i => steps[i].Weight == StepWeight.Key || steps[i].IsDecisive || i == steps.Count - 1));

        AddInterrupts(steps, shown);
        AddEntryReads(steps, shown);
        IReadOnlyList<Window> windows = Windows.Find(steps);
        AddRaceWindows(steps, windows, shown);
        RowStyle style = new[] { new RowStyle(1, false), new RowStyle(2, false), Plain }
            .First(s => s == Plain || Count(steps, shown, s) <= RowsMax);
        AddWordReads(steps, shown, style);
        AddHandOvers(steps, windows, shown, style);
        FillUp(steps, windows, shown, style);

        RowStyle withGaps = style with { GapRows = true };
        return RowBuilder.Build(steps, shown, Count(steps, shown, withGaps) <= RowsMax ? withGaps : style);
    }

    private static int Count(IReadOnlyList<TraceStep> steps, IReadOnlySet<int> shown, RowStyle style)
        => RowBuilder.Build(steps, shown, style).Count;

    private static bool TryAdd(IReadOnlyList<TraceStep> steps, SortedSet<int> shown, RowStyle style, int rowsMax, params ReadOnlySpan<int> extra)
    {
        var trial = new SortedSet<int>(shown);
        foreach (int step in extra)
        {
            trial.Add(step);
        }

        if (Count(steps, trial, style) > rowsMax)
        {
            return false;
        }

        shown.UnionWith(trial);
        return true;
    }

    /// <summary>A handler that shows nothing else: that it ran, and did nothing, may be the whole point.</summary>
    private static void AddInterrupts(IReadOnlyList<TraceStep> steps, SortedSet<int> shown)
    {
        for (int entry = 0; entry < steps.Count; entry++)
        {
            int column = steps[entry].Column;
            if (CallGroups.IsEntry(steps[entry])
                && !Enumerable.Range(entry + 1, steps.Count - entry - 1).Where(i => steps[i].Column == column)
                    .TakeWhile(i => steps[i].InInterrupt && !CallGroups.IsEntry(steps[i])).Any(shown.Contains))
            {
                TryAdd(steps, shown, Plain, RowsBeforeNames, entry);
            }
        }
    }

    /// <summary>What the code saw in entries that others changed; first on the columns that show least.</summary>
    private static void AddEntryReads(IReadOnlyList<TraceStep> steps, SortedSet<int> shown)
    {
        IEnumerable<int> reads = Exchanges.EntryReads(steps)
            .OrderBy(i => shown.Count(k => steps[k].Column == steps[i].Column)).ThenBy(i => i);
        foreach (int read in reads.ToList())
        {
            TryAdd(steps, shown, Plain, RowsBeforeNames, read);
        }
    }

    private static void AddWordReads(IReadOnlyList<TraceStep> steps, SortedSet<int> shown, RowStyle style)
    {
        foreach ((int read, int write) in Exchanges.WordReads(steps).ToList())
        {
            TryAdd(steps, shown, style, RowsMax, read, write);
        }
    }

    private static void AddRaceWindows(IReadOnlyList<TraceStep> steps, IReadOnlyList<Window> windows, SortedSet<int> shown)
    {
        var race = windows.Where(w => Windows.Judge(w, windows, steps, shown) == Windows.Worth.Race)
            .OrderBy(w => w.Span(steps.Count)).GroupBy(w => w.Column).SelectMany(g => g.Take(RaceWindowsAColumn)).ToList();
        foreach (Window window in race)
        {
            TryAdd(steps, shown, Plain, RowsBeforeNames, window.Open, window.Close ?? window.Open);
        }
    }

    /// <summary>Both sides of a hand-over or neither: half of it would mislead.</summary>
    private static void AddHandOvers(IReadOnlyList<TraceStep> steps, IReadOnlyList<Window> windows, SortedSet<int> shown, RowStyle style)
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
    private static void FillUp(IReadOnlyList<TraceStep> steps, IReadOnlyList<Window> windows, SortedSet<int> shown, RowStyle style)
    {
        while (Count(steps, shown, style) < RowsMin)
        {
            int next = Enumerable.Range(0, steps.Count)
                .Where(i => steps[i].Weight == StepWeight.Context && !shown.Contains(i))
                .OrderBy(i => CallText.IsDelimiter(steps[i].Text))
                .ThenBy(i => shown.Min(k => Math.Abs(k - i) + (steps[k].Column == steps[i].Column ? 0 : steps.Count)))
                .DefaultIfEmpty(-1).First();
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
}
