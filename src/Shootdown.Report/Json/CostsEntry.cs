using System.Text;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Report;

/// <summary>What the runs cost: the whole run first, then every operation; or why that could not be counted.</summary>
internal sealed record CostsEntry(string Reason, IReadOnlyList<CostRowEntry> Rows)
{
    /// <summary>Null if costs were not asked for.</summary>
    public static CostsEntry? Of(CheckReport report) => report.Costs is null && report.CostsReason.Length == 0
        ? null
        : new CostsEntry(report.CostsReason, [.. (report.Costs?.Rows ?? []).Select(CostRowEntry.Of)]);
}

/// <summary>The least and the most of every counter: of the operations on a CPU, or (CPU -1) of the whole run.</summary>
internal sealed record CostRowEntry(string Operation, int Cpu, IReadOnlyDictionary<string, CostRange> Counters)
{
    public static CostRowEntry Of(CostRow row) => new(row.Operation, row.Cpu, CountersOf(row));

    /// <summary>The counters by their names in JSON.</summary>
    public static IReadOnlyDictionary<string, CostRange> CountersOf(CostRow row)
        => Enum.GetValues<CostKind>().ToDictionary(kind => Snake(kind.ToString()), kind => row[kind]);

    private static string Snake(string pascal)
    {
        var text = new StringBuilder();
        foreach (char c in pascal)
        {
            text.Append(char.IsUpper(c) && text.Length > 0 ? "_" : string.Empty).Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}
