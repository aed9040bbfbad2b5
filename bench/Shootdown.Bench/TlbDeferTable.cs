using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Shootdown.Bench;

/// <summary>
/// The deferred-flush protocol for 2 to 8 CPUs and 1 to 6 pages, each size in a process of its own, start included; beside it
/// SPIN on bench/spin/tlbdefer.pml where SPIN and a C compiler are installed and its memory suffices.
/// </summary>
internal static partial class TlbDeferTable
{
    private const int SpinCpusMax = 5;
    private const int SpinPagesMax = 3;
    private const double ShortSeconds = 3;

    private static readonly string[] Headings =
    [
        "N,K", "fix", "bug", "states", "transitions", "CPU s", "wall s", "MB",
        "SPIN fix", "bug", "states", "CPU s", "MB", "less CPU", "less memory",
    ];

    /// <summary>Prints the table; arguments "N K" select one size. 1 if a verdict is not as expected.</summary>
    internal static int Run(string[] args)
    {
        string root = Processes.RepositoryRoot();
        Processes.Run(Path.Combine(root, "shootdown"), ["list"], root);
        bool hasSpin = Processes.IsInstalled("spin") && Processes.IsInstalled("gcc");
        (int Cpus, int Pages)[] sizes = args is [{ } cpus, { } pages]
            ? [(int.Parse(cpus, CultureInfo.InvariantCulture), int.Parse(pages, CultureInfo.InvariantCulture))]
            : [.. from n in Enumerable.Range(2, 7) from k in Enumerable.Range(1, 6) select (n, k)];
        var rows = new List<string[]> { Headings };
        bool allExpected = true;
        foreach ((int n, int k) in sizes)
        {
            Row ours = Measure(() => Check(root, n, k, "fix"));
            Row bug = Check(root, n, k, "bug");
            bool runsSpin = hasSpin && n <= SpinCpusMax && k <= SpinPagesMax;
            Row? spin = runsSpin ? Measure(() => Spin(root, n, k, isFixed: true)) : null;
            Row? spinBug = runsSpin ? Spin(root, n, k, isFixed: false) : null;
            allExpected &= ours.Verdict == "pass" && bug.Verdict == "violation"
                && (spin is null || (spin.Verdict == "pass" && spinBug!.Verdict == "violation"));
            rows.Add(Cells(n, k, ours, bug, spin, spinBug));
            Console.Error.WriteLine(string.Join("  ", rows[^1]));
        }

        Print(rows);
        Console.WriteLine(
            """

            N CPUs, K pages. "States" of Shootdown are states up to the numbers of CPUs and pages, with TLBs that lag; SPIN's are those of
            the model with fill and evict steps, partial-order reduction on. CPU s is user and system time from process start to
            end on one worker (median of 3 where it is short), MB is what each tool says of itself. The compiler's time is not counted.
            """);
        return allExpected ? 0 : 1;
    }

    private static Row Measure(Func<Row> run)
    {
        Row first = run();
        return first.CpuSeconds > ShortSeconds
            ? first
            : new[] { first, run(), run() }.OrderBy(row => row.CpuSeconds).ElementAt(1);
    }

    private static Row Check(string root, int n, int k, string variant)
    {
        Finished run = Processes.Run(
            Path.Combine(root, "shootdown"),
            ["check", "tlbdefer", "--variant", variant, "--cpus", Text(n), "--pages", Text(k), "--workers", "1", "--json"],
            root);
        using var document = JsonDocument.Parse(run.Output);
        JsonElement check = document.RootElement.GetProperty("checks")[0];
        JsonElement stats = check.GetProperty("stats");
        return new Row(
            check.GetProperty("verdict").GetString()!,
            stats.GetProperty("states").GetInt64(),
            stats.GetProperty("transitions").GetInt64(),
            run.CpuSeconds,
            run.WallSeconds,
            stats.GetProperty("peak_memory_bytes").GetInt64() / 1e6);
    }

    private static Row Spin(string root, int n, int k, bool isFixed)
    {
        string folder = Directory.CreateTempSubdirectory("tlbdefer").FullName;
        try
        {
            string model = Path.Combine(folder, "tlbdefer.pml");
            File.Copy(Path.Combine(root, "bench", "spin", "tlbdefer.pml"), model);
            Processes.Run("spin", ["-a", $"-DN={n}", $"-DK={k}", $"-DFIX={(isFixed ? 1 : 0)}", model], folder);
            Processes.Run("gcc", ["-O2", "-w", "-DSAFETY", "-DMEMLIM=6000", "-o", "pan", "pan.c"], folder);
            Finished run = Processes.Run(Path.Combine(folder, "pan"), ["-m4000000", "-w22", "-n"], folder);
            bool isComplete = !run.Output.Contains("Search not completed", StringComparison.Ordinal);
            double errors = Number(SpinErrors(), run.Output);
            return new Row(
                errors > 0 ? "violation" : isComplete ? "pass" : "incomplete",
                (long)Number(SpinStates(), run.Output),
                (long)Number(SpinTransitions(), run.Output),
                run.CpuSeconds,
                run.WallSeconds,
                Number(SpinMemory(), run.Output));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Number(Regex pattern, string text)
        => double.Parse(pattern.Match(text).Groups[1].Value, NumberStyles.Float, CultureInfo.InvariantCulture);

    private static string[] Cells(int n, int k, Row ours, Row bug, Row? spin, Row? spinBug) =>
    [
        $"{n},{k}",
        ours.Verdict,
        bug.Verdict,
        Count(ours.States),
        Count(ours.Transitions),
        Seconds(ours.CpuSeconds),
        Seconds(ours.WallSeconds),
        Count(ours.Megabytes),
        spin?.Verdict ?? "-",
        spinBug?.Verdict ?? "-",
        spin is null ? "-" : Count(spin.States),
        spin is null ? "-" : Seconds(spin.CpuSeconds),
        spin is null ? "-" : Count(spin.Megabytes),
        spin is null ? "-" : Ratio(spin.CpuSeconds / ours.CpuSeconds),
        spin is null ? "-" : Ratio(spin.Megabytes / ours.Megabytes),
    ];

    private static void Print(List<string[]> rows)
    {
        int[] widths = [.. Headings.Select((_, column) => rows.Max(row => row[column].Length))];
        foreach (string[] row in rows)
        {
            Console.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadLeft(widths[column]))));
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Count(double number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    private static string Seconds(double seconds) => seconds.ToString("0.00", CultureInfo.InvariantCulture);

    private static string Ratio(double ratio) => ratio.ToString(ratio < 10 ? "0.0" : "#,0", CultureInfo.InvariantCulture);

    [GeneratedRegex(@"([0-9.e+]+) states, stored", RegexOptions.None, 1000)]
    private static partial Regex SpinStates();

    [GeneratedRegex(@"([0-9.e+]+) transitions", RegexOptions.None, 1000)]
    private static partial Regex SpinTransitions();

    [GeneratedRegex(@"([0-9.]+)\s+total actual memory usage", RegexOptions.None, 1000)]
    private static partial Regex SpinMemory();

    [GeneratedRegex(@"errors: ([0-9]+)", RegexOptions.None, 1000)]
    private static partial Regex SpinErrors();

    private sealed record Row(string Verdict, long States, long Transitions, double CpuSeconds, double WallSeconds, double Megabytes);
}
