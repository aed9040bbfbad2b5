using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>Items of the seed mails as text: a line each, or one in full.</summary>
public static class SeedsText
{
    private const string Margin = "  ";
    private const int Width = 100;
    private const int AnswerColumn = 20;
    private const int RunsMax = 60;

    /// <summary>Writes two lines for every item, the claim and the answer, and a summary.</summary>
    public static void WriteList(IReadOnlyList<SeedEntry> entries, double elapsedSeconds, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(writer);
        string mail = string.Empty;
        foreach (SeedEntry entry in entries)
        {
            if (entry.Id[..4] != mail)
            {
                writer.WriteLine(mail.Length == 0 ? $"mail {entry.Id[1..4]}" : $"{Environment.NewLine}mail {entry.Id[1..4]}");
                mail = entry.Id[..4];
            }

            writer.WriteLines(Paragraph.Wrap(entry.Claim, $"{Margin}{entry.Id}  ", new string(' ', 11), Width));
            string head = $"{new string(' ', 11)}{entry.Verdict}{(entry.AsExpected ? string.Empty : "*")}: ";
            writer.WriteLines(Paragraph.Wrap($"{entry.Answer} ({Effort(entry)})", head, new string(' ', AnswerColumn), Width));
        }

        writer.WriteLine();
        string counts = string.Join(", ", entries.GroupBy(entry => entry.Verdict).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => $"{group.Count()} {group.Key}"));
        int surprises = entries.Count(entry => !entry.AsExpected);
        writer.WriteLine($"{Quantity.Count(entries.Count, "item")}: {counts}; {Quantity.Count(entries.Sum(entry => entry.States), "state")}, "
            + Quantity.Elapsed(elapsedSeconds));
        if (surprises > 0)
        {
            writer.WriteLine($"* not what was expected beforehand ({surprises}): ./shootdown seeds ID says why");
        }
    }

    /// <summary>Writes one item in full.</summary>
    /// <param name="entry">The item.</param>
    /// <param name="run">Only this run, with its diagram; null for the item, with the diagram of its first violation.</param>
    /// <param name="detail">How much of a violating run.</param>
    /// <param name="writer">Where to.</param>
    public static void WriteItem(SeedEntry entry, SeedRunEntry? run, CheckDetail detail, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentNullException.ThrowIfNull(writer);
        if (run is null)
        {
            WriteHead(entry, writer);
            WriteRuns(entry, writer);
            foreach (SeedTableEntry table in entry.Tables)
            {
                writer.WriteLine();
                writer.WriteLine(table.Title);
                writer.WriteLines(TextTable.Lines(table.Columns, table.Rows, Margin, Width));
            }
        }

        SeedRunEntry? shown = run ?? entry.Runs.FirstOrDefault(each => each.Result?.Verdict == Verdict.Violation);
        if (shown is { Result: { } result, Invocation: { } invocation })
        {
            writer.WriteLine();
            CheckText.Write(result, invocation, detail, writer);
        }
    }

    private static void WriteHead(SeedEntry entry, TextWriter writer)
    {
        writer.WriteLine($"{entry.Id}  (mail {entry.Id[1..4]}, lines {entry.Lines})");
        writer.WriteLines(Paragraph.Wrap(entry.Claim, Margin, Margin));
        writer.WriteLine();
        writer.WriteLines(Paragraph.WrapAll(entry.Experiment, Margin));
        writer.WriteLine();
        writer.WriteLines(Paragraph.Wrap(entry.Answer, $"{entry.Verdict}: ", Margin));
        if (!entry.AsExpected)
        {
            writer.WriteLines(Paragraph.Wrap($"expected beforehand: {entry.Expected}", Margin, Margin));
        }

        if (entry.Remark.Length > 0)
        {
            writer.WriteLines(Paragraph.WrapAll(entry.Remark, Margin));
        }
    }

    /// <summary>All runs; of very many only those that are not safe, and how many others there are.</summary>
    private static void WriteRuns(SeedEntry entry, TextWriter writer)
    {
        writer.WriteLine();
        SeedRunEntry[] shown = [.. entry.Runs.Where(run => entry.Runs.Count <= RunsMax || run.Result?.Verdict != Verdict.Pass)];
        string[][] rows =
        [
            .. shown.Select(run => new[]
            {
                run.Name,
                run.Result is null ? "computed" : run.Outcome,
                run.Result is null ? string.Empty : Quantity.Exact(run.Result.Stats.States),
                run.Result is null ? string.Empty : Extent(run.Result),
            }),
        ];
        writer.WriteLines(TextTable.Lines(["run", "outcome", "states", "explored"], rows, Margin, Width));
        if (shown.Length < entry.Runs.Count)
        {
            SeedRunEntry[] safe = [.. entry.Runs.Except(shown)];
            writer.WriteLine($"{Margin}and {safe.Length} others, safe, {Quantity.Count(safe.Sum(run => run.Result!.Stats.States), "state")}, exhaustive");
        }

        foreach (SeedRunEntry run in entry.Runs.Where(run => run.Facts.Count > 0))
        {
            writer.WriteLine();
            writer.WriteLine(run.Name);
            writer.WriteLines(run.Facts.SelectMany(fact => Paragraph.Wrap(fact, Margin, $"{Margin}{Margin}", Width)));
        }
    }

    private static string Extent(CheckReport report) => report.Verdict switch
    {
        Verdict.Violation => "to the violation",
        _ => report.Stats.Exhaustive ? "exhaustive" : "stopped by a limit",
    };

    private static string Effort(SeedEntry entry) => entry.Runs.Count(run => run.Result is not null) is var checks && checks == 0
        ? "computed"
        : $"{Quantity.Count(checks, "check")}, {Quantity.Count(entry.States, "state")}, {Quantity.Elapsed(entry.Seconds)}";
}
