using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>Designs as text: a table for each workload, or for each design that was named, with its diagrams.</summary>
public static class DesignText
{
    private const string Margin = "  ";
    private const int CellWidth = 7;

    private static readonly (string Head, CostKind Kind)[] Columns =
    [
        ("full", CostKind.FullFlushes),
        ("part", CostKind.PartialFlushes),
        ("CR3", CostKind.SwitchFlushes),
        ("bcast", CostKind.Broadcasts),
        ("IPIs", CostKind.IpisSent),
        ("vain", CostKind.Redundant),
    ];

    /// <summary>What the columns mean.</summary>
    public const string Legend =
        "full, part: flushes of everything, and page by page; CR3: writes of CR3 that drop an ASID; bcast: broadcast "
        + "invalidations; IPIs sent; vain: flushes that had nothing old to drop. Least..most over all runs.";

    /// <summary>Writes it.</summary>
    public static void Write(DesignReport report, CheckDetail detail, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(writer);
        IEnumerable<IGrouping<string, DesignEntry>> groups = report.IsInFull
            ? report.Entries.GroupBy(entry => entry.Design.Id)
            : report.Entries.GroupBy(entry => entry.Workload);
        foreach (IGrouping<string, DesignEntry> group in groups)
        {
            WriteGroup([.. group], report.IsInFull, writer);
            DesignEntry[] shared = [.. group.Where(entry => report.IsInFull && entry.AsBaseline)];
            if (shared.Length > 0)
            {
                string names = string.Join(", ", shared.Select(entry => entry.Workload));
                writer.WriteLines(Paragraph.Wrap($"As batched, that is Linux 6.12, which is not safe there either: {names}.", Margin, Margin));
                writer.WriteLine();
            }

            foreach (DesignEntry entry in group.Where(entry => report.IsInFull && detail != CheckDetail.VerdictOnly
                && entry.Safety.Verdict != Verdict.Pass && (report.ShowsAll || !entry.AsBaseline)))
            {
                CheckText.Write(entry.Safety, entry.Invocation, detail, writer);
                writer.WriteLine();
            }
        }

        writer.WriteLines(Paragraph.Wrap(Legend, string.Empty, string.Empty));
        writer.WriteLine();
        writer.WriteLine(Summary(report));
    }

    /// <summary><c>safe</c>, the violated property, or that there is no answer.</summary>
    public static string VerdictWord(DesignEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return entry.Safety.Verdict switch
        {
            Verdict.Pass => "safe",
            Verdict.Violation => entry.Safety.Counterexample!.PropertyId,
            _ => "?",
        };
    }

    private static void WriteGroup(DesignEntry[] entries, bool isInFull, TextWriter writer)
    {
        DesignEntry first = entries[0];
        string head = isInFull ? $"{first.Design.Title} ({first.Design.Year})" : string.Empty;
        writer.WriteLines(Paragraph.Wrap(head, isInFull ? $"{first.Design.Id}  " : first.Workload, Margin));
        string text = isInFull ? $"{first.Design.Story}\n\n{first.Design.Source}." : first.WorkloadTitle;
        writer.WriteLines(Paragraph.WrapAll(text, Margin));
        writer.WriteLine();
        int width = entries.Max(entry => Name(entry, isInFull).Length);
        writer.WriteLine(Row(string.Empty, string.Empty, [.. Columns.Select(column => column.Head)], width));
        foreach (DesignEntry entry in entries)
        {
            writer.WriteLine(Row(Name(entry, isInFull), VerdictWord(entry), [.. Columns.Select(column => Cell(entry, column.Kind))], width));
        }

        writer.WriteLine();
    }

    private static string Name(DesignEntry entry, bool isInFull) => isInFull ? entry.Workload : entry.Design.Id;

    private static string Cell(DesignEntry entry, CostKind kind)
        => entry.Costs is { Verdict: Verdict.Pass, Costs.Run: { } run } ? run[kind].ToString() : "?";

    private static string Row(string name, string verdict, IReadOnlyList<string> cells, int width)
        => (Margin + name.PadRight(width + 1)
            + verdict.PadRight(CellWidth) + string.Concat(cells.Select(cell => cell.PadLeft(CellWidth)))).TrimEnd();

    private static string Summary(DesignReport report)
    {
        int unsafeCount = report.Entries.Count(entry => entry.Safety.Verdict == Verdict.Violation);
        int shared = report.Entries.Count(entry => entry.AsBaseline);
        int open = report.Entries.Count(entry => entry.Safety.Verdict is not (Verdict.Violation or Verdict.Pass)
            || entry.Costs.Verdict != Verdict.Pass);
        return $"{Quantity.Count(report.Entries.Count, "run")}: "
            + $"{report.Entries.Count(entry => entry.Safety.Verdict == Verdict.Pass)} safe, {unsafeCount} not"
            + (report.IsInFull && shared > 0 ? $" ({(shared == unsafeCount ? string.Empty : $"{shared} ")}as batched)" : string.Empty)
            + (open > 0 ? $", {open} not settled" : string.Empty)
            + (report.NotRun > 0 ? $", {report.NotRun} not run" : string.Empty);
    }
}
