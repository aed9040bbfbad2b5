using Shootdown.Measure;
using static Shootdown.Report.ReplayWords;

namespace Shootdown.Report;

/// <summary>The table of flush designs, as cells: the same in text and in HTML.</summary>
internal static class PolicyCells
{
    private const double BytesAKilobyte = 1 << 10;

    /// <summary>Heads of the columns. Memory only if a design holds any back.</summary>
    public static string[] Heads(PolicyTable table)
        => ["By policy", "interrupts", "stalled", "stolen", "refills", .. HoldsMemory(table) ? ["held back", "over time"] : Array.Empty<string>(), "run time"];

    /// <summary>A row for each design; the recorded kernel is the first.</summary>
    public static IEnumerable<string[]> Rows(PolicyTable table)
    {
        PolicyRow recorded = table.Rows[0];
        bool holdsMemory = HoldsMemory(table);
        foreach (PolicyRow row in table.Rows)
        {
            ReplayCosts costs = row.Costs;
            string[] memory = holdsMemory ? [Quantity.Bytes(row.HeldPeakBytes), Invariant($"{row.HeldByteSeconds / BytesAKilobyte:0.0} kB s")] : [];
            yield return
            [
                row.Name, Quantity.Exact(costs.Interrupts), Time(costs.StallNs), Time(costs.StolenNs), Quantity.Exact(costs.Refills),
                .. memory, row == recorded ? "as recorded" : Change(costs.TotalNs - recorded.Costs.TotalNs, table.OnCpuNs),
            ];
        }
    }

    /// <summary>What the numbers rest on.</summary>
    public static string Note(PolicyTable table)
        => $"The recorded calls, faults and switches under each design, at their times and on their CPUs, with the costs of {table.CostFile}. "
            + $"Run time is that of the threads on their CPUs ({Time(table.OnCpuNs)} recorded). A trace does not show accesses that do not fault: "
            + $"a thread is taken to read the {table.PagesAgain} pages that it faulted in last again after its TLB was flushed.";

    private static bool HoldsMemory(PolicyTable table) => table.Rows.Any(row => row.HeldPeakBytes > 0);

    private static string Change(long ns, long wholeNs)
    {
        string sign = ns < 0 ? "-" : "+";
        string share = wholeNs == 0 ? "" : Invariant($" ({sign}{100.0 * Math.Abs(ns) / wholeNs:0.00} %)");
        return ns == 0 ? "the same" : $"{sign}{Time(Math.Abs(ns))}{share}";
    }
}
