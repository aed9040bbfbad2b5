using System.Text.RegularExpressions;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>
/// Finds where columns tell each other something: one reads what another one writes, before or after. That is what most
/// races are about, even where the words themselves are small.
/// </summary>
internal static partial class Exchanges
{
    /// <summary>Reads of page-table entries that another column has changed, with what they saw.</summary>
    public static IEnumerable<int> EntryReads(IReadOnlyList<TraceStep> steps)
        => Enumerable.Range(0, steps.Count).Where(i => steps[i].Weight == StepWeight.Context && IsEntryRead(steps[i])
            && !IsRepeatedNext(steps, i) && IsChangedElsewhere(steps, i));

    /// <summary>
    /// Reads of a word that another column writes, each with the nearest write. Steps that are not worth showing by
    /// themselves (<see cref="StepWeight.Detail"/>) are no candidates.
    /// </summary>
    public static IEnumerable<(int Read, int Write)> WordReads(IReadOnlyList<TraceStep> steps)
    {
        for (int read = 0; read < steps.Count; read++)
        {
            if (steps[read].Weight == StepWeight.Detail || WordRead(steps[read].Text) is not { } word)
            {
                continue;
            }

            int[] writes = [.. Enumerable.Range(0, steps.Count).Where(i => steps[i].Weight != StepWeight.Detail
                && steps[i].Column != steps[read].Column && WordWritten(steps[i].Text) == word)];
            if (writes.Length > 0)
            {
                yield return (read, writes.MinBy(write => Math.Abs(write - read)));
            }
        }
    }

    /// <summary>True if the column goes on to read or change the same entry: that step says what it saw.</summary>
    public static bool IsRepeatedNext(IReadOnlyList<TraceStep> steps, int read)
    {
        TraceStep? next = steps.Skip(read + 1).FirstOrDefault(step => step.Column == steps[read].Column && step.Weight != StepWeight.Detail);
        return next is not null && IsEntryRead(next) && EntryOf(next.Text) == EntryOf(steps[read].Text);
    }

    private static bool IsEntryRead(TraceStep step) => step.Notes.Count > 0 && EntryOf(step.Text) is not null;

    private static bool IsChangedElsewhere(IReadOnlyList<TraceStep> steps, int read)
    {
        string? entry = EntryOf(steps[read].Text);
        return steps.Take(read).Any(step => step.Column != steps[read].Column && step.Weight == StepWeight.Key && EntryOf(step.Text) == entry);
    }

    /// <summary>Level and address of the entry that a call is about, e.g. <c>pte 0x1000</c>; null for other steps.</summary>
    private static string? EntryOf(string text)
        => EntryCall().Match(text) is { Success: true } call ? $"{call.Groups[1].Value} {call.Groups[2].Value}" : null;

    private static string? WordRead(string text)
        => text.StartsWith("read ", StringComparison.Ordinal) ? text["read ".Length..] : null;

    private static string? WordWritten(string text)
        => Write().Match(text) is { Success: true } write ? write.Groups[1].Value : null;

    [GeneratedRegex(@"^\w*?(pte|pmd|pud|p4d|pgd)\w*\(([^,)]*)")]
    private static partial Regex EntryCall();

    [GeneratedRegex(@"^([^=\[]+?)(?: [|&+-]?= .*|\+\+|--)$")]
    private static partial Regex Write();
}
