using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>A stretch of one column's run between a step that opens something (lock, counter, interrupts off) and its end.</summary>
/// <param name="Open">Index of the opening step.</param>
/// <param name="Close">Index of the closing step; null if the run ends inside.</param>
/// <param name="Column">Whose it is.</param>
/// <param name="Text">The opening step's text.</param>
internal sealed record Window(int Open, int? Close, int Column, string Text)
{
    /// <summary>Length in steps, for preferring the tightest.</summary>
    public int Span(int steps) => (Close ?? steps) - Open;

    /// <summary>True if the step happens between opening and closing, on whatever column.</summary>
    public bool Encloses(int step) => step > Open && (Close is null || step < Close);
}

/// <summary>Finds windows and says which of them a reader needs to see.</summary>
internal static class Windows
{
    /// <summary>How much a window tells.</summary>
    public enum Worth
    {
        /// <summary>Nothing of the race happens in it, or everybody may hold it at once.</summary>
        None,

        /// <summary>Two columns took the same lock one after the other: it orders them and does not help.</summary>
        HandOver,

        /// <summary>Another column acts while it is open: it is the window of the race.</summary>
        Race,
    }

    /// <summary>All windows in order of their opening.</summary>
    public static IReadOnlyList<Window> Find(IReadOnlyList<TraceStep> steps)
    {
        var closed = new List<Window>();
        var open = new List<Opened>();
        for (int i = 0; i < steps.Count; i++)
        {
            TraceStep step = steps[i];
            int match = open.FindLastIndex(o => o.Window.Column == step.Column && o.Closer == step.Text);
            if (match >= 0)
            {
                closed.Add(open[match].Window with { Close = i });
                open.RemoveAt(match);
            }
            else if (CallText.Closer(step.Text) is { } closer)
            {
                open.Add(new Opened(new Window(i, null, step.Column, step.Text), closer));
            }
        }

        closed.AddRange(open.Select(o => o.Window));
        return [.. closed.Where(w => steps[w.Open].Weight == StepWeight.Context).OrderBy(w => w.Open)];
    }

    /// <summary>Judges a window by the steps that are shown anyway.</summary>
    public static Worth Judge(Window window, IReadOnlyList<Window> all, IReadOnlyList<TraceStep> steps, StepSet shown)
    {
        if (!HasOwnStep(window, steps, shown) || IsUncontendedRead(window, all))
        {
            return Worth.None;
        }

        if (shown.Any(i => window.Encloses(i) && steps[i].Column != window.Column))
        {
            return Worth.Race;
        }

        bool isHandedOver = all.Any(other => other.Column != window.Column
            && CallText.ObjectOf(other.Text) == CallText.ObjectOf(window.Text) && HasOwnStep(other, steps, shown));
        return isHandedOver ? Worth.HandOver : Worth.None;
    }

    private static bool HasOwnStep(Window window, IReadOnlyList<TraceStep> steps, StepSet shown)
        => shown.Any(i => window.Encloses(i) && steps[i].Column == window.Column);

    private static bool IsUncontendedRead(Window window, IReadOnlyList<Window> all)
        => CallText.IsShared(window.Text) && !all.Any(other => other.Column != window.Column
            && CallText.ObjectOf(other.Text) == CallText.ObjectOf(window.Text) && !CallText.IsShared(other.Text));

    /// <summary>A window that waits for the text that closes it.</summary>
    private sealed record Opened(Window Window, string Closer);
}
