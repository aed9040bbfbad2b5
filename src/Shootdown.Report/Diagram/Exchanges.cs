using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>A read of a word and the nearest write of another column to it.</summary>
internal sealed record Exchange(int Read, int Write);

/// <summary>
/// Finds where columns tell each other something: one reads what another one writes, before or after. That is what most
/// races are about, even where the words themselves are small.
/// </summary>
internal static class Exchanges
{
    /// <summary>Reads of page-table entries that another column has changed, with what they saw.</summary>
    public static List<int> EntryReads(IReadOnlyList<TraceStep> steps)
    {
        var reads = new List<int>();
        for (int i = 0; i < steps.Count; i++)
        {
            if (steps[i].Weight == StepWeight.Context && IsEntryRead(steps[i])
                && !IsRepeatedNext(steps, i) && IsChangedElsewhere(steps, i))
            {
                reads.Add(i);
            }
        }

        return reads;
    }

    /// <summary>
    /// Reads of a word that another column writes. Steps that are not worth showing by themselves
    /// (<see cref="StepWeight.Detail"/>) are no candidates.
    /// </summary>
    public static IEnumerable<Exchange> WordReads(IReadOnlyList<TraceStep> steps)
    {
        for (int read = 0; read < steps.Count; read++)
        {
            if (steps[read].Weight != StepWeight.Detail && CallText.WordRead(steps[read].Text) is { } word
                && NearestWrite(steps, read, word) is >= 0 and int write)
            {
                yield return new Exchange(read, write);
            }
        }
    }

    /// <summary>True if the column goes on to read or change the same entry: that step says what it saw.</summary>
    public static bool IsRepeatedNext(IReadOnlyList<TraceStep> steps, int read)
    {
        int column = steps[read].Column;
        TraceStep? next = steps.Skip(read + 1).FirstOrDefault(step => step.Column == column && step.Weight != StepWeight.Detail);
        return next is not null && IsEntryRead(next) && CallText.EntryOf(next.Text) == CallText.EntryOf(steps[read].Text);
    }

    private static int NearestWrite(IReadOnlyList<TraceStep> steps, int read, string word)
    {
        int nearest = -1;
        for (int i = 0; i < steps.Count; i++)
        {
            bool isWrite = steps[i].Weight != StepWeight.Detail && steps[i].Column != steps[read].Column
                && CallText.WordWritten(steps[i].Text) == word;
            if (isWrite && (nearest < 0 || Math.Abs(i - read) < Math.Abs(nearest - read)))
            {
                nearest = i;
            }
        }

        return nearest;
    }

    private static bool IsEntryRead(TraceStep step) => step.Notes.Count > 0 && CallText.EntryOf(step.Text) is not null;

    private static bool IsChangedElsewhere(IReadOnlyList<TraceStep> steps, int read)
    {
        string? entry = CallText.EntryOf(steps[read].Text);
        return steps.Take(read).Any(step => step.Column != steps[read].Column && step.Weight == StepWeight.Key
            && CallText.EntryOf(step.Text) == entry);
    }
}
