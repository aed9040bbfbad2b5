using System.Globalization;
using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Bench;

/// <summary>
/// The bounded C programs with which stateless model checkers are compared, explored exhaustively at the same sizes on
/// one thread, beside what those tools took.
/// </summary>
public static class PeerPrograms
{
    private const int Repetitions = 3;
    private const int WarmUpMilliseconds = 2000;

    private static readonly string[] Headings =
    [
        "program", "verdict", "states", "transitions", "executions", "CPU s", "exec/s",
        "GenMC exec", "GenMC s", "exec/s", "Nidhugg s", "fewer exec", "less CPU", "exec/s x",
    ];

    /// <summary>
    /// GenMC 0.10.3 (sc) and Nidhugg (optimal DPOR) on the C programs: executions and CPU seconds, measured on a shared
    /// 2-core x86-64 machine (AMD EPYC) when the programs were written. Nidhugg was not run on all of them.
    /// </summary>
    private static readonly PeerRow[] Rows =
    [
        new("sb N=14", "peer-sb", 16_383, 0.57, 3.1, ("n", 14)),
        new("sb N=14 loads kept", "peer-sb", 16_383, 0.57, 3.1, ("n", 14), ("keep", 1)),
        new("ninc N=6", "peer-ninc", 518_400, 3.8, 27, ("n", 6)),
        new("ainc N=8", "peer-ainc", 40_320, 1.5, null, ("n", 8)),
        new("readers N=13", "peer-readers", 8_192, 0.15, 1.0, ("n", 13)),
        new("readers N=13 loads kept", "peer-readers", 8_192, 0.15, 1.0, ("n", 13), ("keep", 1)),
        new("lastzero N=12", "peer-lastzero", 15_360, 0.95, 3.2, ("n", 12)),
        new("lastzero N=12 loads kept", "peer-lastzero", 15_360, 0.95, 3.2, ("n", 12), ("keep", 1)),
        new("indexer N=15", "peer-indexer", 4_096, 1.4, 2.2, ("n", 15)),
        new("ticket N=6", "peer-ticket", 720, 0.09, 7.0, ("n", 6)),
        new("seqlock W=2 R=3", "peer-seqlock", 101_306, 0.68, 7.4, ("w", 2), ("r", 3)),
        new("treiber W=3 R=2", "peer-treiber", 20_862, 0.42, 1.5, ("w", 3), ("r", 2)),
        new("tlbrace C=2 Z=2", "peer-tlbrace", 20_536, 0.39, 1.7, ("c", 2), ("z", 2)),
        new("tlbrace C=3 Z=2", "peer-tlbrace", 991_248, 20.2, null, ("c", 3), ("z", 2)),
    ];

    /// <summary>
    /// Prints the table; arguments select programs by the beginning of their names. 1 if a verdict is not a pass.
    /// </summary>
    public static int Run(string[] args)
    {
        PeerRow[] selected = [.. Rows.Where(row => args.Length == 0 || args.Any(row.IsCalled))];
        if (selected.Length == 0)
        {
            string known = string.Join(", ", Rows.Select(row => row.Name));
            Console.Error.WriteLine($"no program is called {string.Join(" or ", args)}; there are {known}");
            return 2;
        }

        WarmUp();
        Measurement[] measured = [.. selected.Select(Measure)];
        Print([Headings, .. selected.Zip(measured, Cells)]);
        Console.WriteLine();
        Console.WriteLine(
            $"""
            Executions are final states reached: states are stored, so that runs that meet in one go on as one. "Loads kept":
            threads keep what they loaded, which the C program drops, so that every outcome has a final state of its own.
            CPU s is user and system time of one check on one thread, its model built, median of {Repetitions}, code compiled
            before. GenMC 0.10.3 (sc) and Nidhugg (optimal DPOR) are constants from a 2-core x86-64 machine (AMD EPYC):
            compare magnitudes. The last three columns are GenMC's executions and time divided by ours, and our rate of
            executions divided by GenMC's.
            """);
        return Array.TrueForAll(measured, row => row.Verdict == Verdict.Pass) ? 0 : 1;
    }

    /// <summary>Explores for a while, so that the runtime has optimised the explorer before anything is measured.</summary>
    private static void WarmUp()
    {
        Scenario ring = ScenarioList.Find("peer-sb")!;
        ScenarioSetup large = ScenarioDefaults.SetupOf(ring, Variant.Fix, MemoryModelKind.Sc, ("n", 11), ("keep", 1));
        long end = Environment.TickCount64 + WarmUpMilliseconds;
        while (Environment.TickCount64 < end)
        {
            Explore(ring, large);
            foreach (Scenario scenario in Rows.Select(row => row.Scenario).Distinct())
            {
                Explore(scenario, ScenarioDefaults.SetupOf(scenario, Variant.Fix));
            }
        }
    }

    private static Measurement Measure(PeerRow row)
    {
        ScenarioSetup setup = ScenarioDefaults.SetupOf(row.Scenario, Variant.Fix, MemoryModelKind.Sc, row.Bounds);
        return Enumerable.Range(0, Repetitions).Select(_ => Explore(row.Scenario, setup))
            .OrderBy(run => run.CpuSeconds).ElementAt(Repetitions / 2);
    }

    private static Measurement Explore(Scenario scenario, ScenarioSetup setup)
    {
        TimeSpan before = Environment.CpuUsage.TotalTime;
        CheckReport report = ScenarioCheck.Run(scenario, setup, new CheckOptions { Workers = 1 });
        return new Measurement(report.Verdict, report.Stats, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
    }

    private static string[] Cells(PeerRow row, Measurement run)
    {
        double rate = run.Stats.Executions / run.CpuSeconds;
        double peerRate = row.GenmcExecutions / row.GenmcSeconds;
        return
        [
            row.Name,
            run.Verdict.ToString().ToLowerInvariant(),
            Count(run.Stats.States),
            Count(run.Stats.Transitions),
            Count(run.Stats.Executions),
            run.CpuSeconds.ToString("0.000", CultureInfo.InvariantCulture),
            Count(rate),
            Count(row.GenmcExecutions),
            row.GenmcSeconds.ToString("0.00", CultureInfo.InvariantCulture),
            Count(peerRate),
            row.NidhuggSeconds?.ToString("0.0", CultureInfo.InvariantCulture) ?? "-",
            Ratio(row.GenmcExecutions / (double)run.Stats.Executions),
            Ratio(row.GenmcSeconds / run.CpuSeconds),
            Ratio(rate / peerRate),
        ];
    }

    private static string Count(double number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Ratio(double ratio) => ratio.ToString(ratio < 10 ? "0.0" : "#,0", CultureInfo.InvariantCulture);

    private static void Print(string[][] table)
    {
        int[] widths = [.. table[0].Select((_, column) => table.Max(row => row[column].Length))];
        foreach (string[] row in table)
        {
            // The name and the verdict stand on the left, numbers on the right.
            IEnumerable<string> cells = row.Select(
                (cell, column) => column < 2 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            Console.WriteLine(string.Join("  ", cells));
        }
    }

    /// <summary>A program at the size at which the other tools were measured, and what they took.</summary>
    private sealed record PeerRow(
        string Name,
        string Id,
        long GenmcExecutions,
        double GenmcSeconds,
        double? NidhuggSeconds,
        params (string Name, int Value)[] Bounds)
    {
        internal Scenario Scenario { get; }
            = ScenarioList.Find(Id) ?? throw new InvalidOperationException($"no scenario {Id}");

        internal bool IsCalled(string name) => Name.StartsWith(name, StringComparison.OrdinalIgnoreCase);
    }

    private sealed record Measurement(Verdict Verdict, ExplorationStats Stats, double CpuSeconds);
}
