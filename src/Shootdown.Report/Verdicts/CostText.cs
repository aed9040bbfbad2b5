using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>What the runs of a check cost, as a table: a row an operation, a column a counter that is not zero everywhere.</summary>
public static class CostText
{
    private const string Margin = "  ";

    private static readonly (string Head, CostKind Kind, string Meaning)[] Columns =
    [
        ("full", CostKind.FullFlushes, "flushes of everything"),
        ("part", CostKind.PartialFlushes, "flushes page by page"),
        ("CR3", CostKind.SwitchFlushes, "writes of CR3 that drop an ASID"),
        ("bcast", CostKind.Broadcasts, "broadcast invalidations"),
        ("IPIs", CostKind.IpisSent, "IPIs sent"),
        ("mn", CostKind.NotifierCalls, "notifier calls"),
        ("2nd", CostKind.SecondaryFlushes, "flushes of secondary MMUs"),
        ("vain", CostKind.Redundant, "flushes that had nothing old to drop"),
        ("2nd vain", CostKind.SecondaryRedundant, "those of secondary MMUs among them"),
        ("none", CostKind.CallbacksInVain, "notifier callbacks for which nothing was mapped"),
    ];

    /// <summary>Writes the table, or why there is none; nothing if costs were not asked for.</summary>
    public static void Write(CheckReport report, TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(writer);
        if (report.CostsReason.Length > 0)
        {
            writer.WriteLines(Paragraph.Wrap($"not counted: {report.CostsReason}", $"{Margin}costs     ", $"{Margin}          "));
        }
        else if (report.Costs is { Run: { } run })
        {
            writer.WriteLine();
            WriteTable(report.Costs.Rows, run, writer);
        }
    }

    private static void WriteTable(IReadOnlyList<CostRow> rows, CostRow run, TextWriter writer)
    {
        (string Head, CostKind Kind, string Meaning)[] shown = [.. Columns.Where(column => run[column.Kind].Max > 0)];
        var table = new NumberTable(["costs", .. shown.Select(column => column.Head)]) { NameWidthMax = 28 };
        foreach (CostRow row in rows.Where(row => row.Cpu >= 0))
        {
            string name = row.Operation.Length > 0 ? $"CPU{row.Cpu} {row.Operation}" : $"CPU{row.Cpu}";
            table.Add([name, .. shown.Select(column => row[column.Kind].ToString())]);
        }

        table.Add(["a whole run", .. shown.Select(column => run[column.Kind].ToString())]);
        table.Write(writer, Margin);
        string legend = string.Join("; ", shown.Select(column => $"{column.Head}: {column.Meaning}").Append("least..most over all runs"));
        writer.WriteLines(Paragraph.Wrap(legend, Margin, Margin));
    }
}
