namespace Shootdown.Measure;

/// <summary>A published figure: one kernel over another on a workload, as a ratio, and what the model says.</summary>
/// <param name="Title">What was measured.</param>
/// <param name="Source">Who published it, and where.</param>
/// <param name="Published">The ratio that was published.</param>
/// <param name="Workload">The workload here.</param>
/// <param name="Cpus">CPUs.</param>
/// <param name="DurationNs">Virtual time of each run.</param>
/// <param name="Before">The policy that the figure is relative to.</param>
/// <param name="After">The other one.</param>
/// <param name="Figure">The figure of a run.</param>
/// <param name="AfterWorkload">The workload for the second policy; null for the same.</param>
public sealed record PublishedResult(
    string Title, string Source, double Published, string Workload, int Cpus, long DurationNs, string Before, string After,
    Func<Measurement, double> Figure, string? AfterWorkload = null)
{
    private const long Ms = 1_000_000;

    /// <summary>All that are compared.</summary>
    public static IReadOnlyList<PublishedResult> All { get; } =
    [
        new("TLB interrupts a page, reclaim in batches of 32", "Gorman 2015",
            180.0 / 900, "mapped-readers", 49, 5 * Ms, "mmu-gather", "linux-6.1", InterruptsPerWork),
        new("TLB interrupts a page, reclaim in batches of 500", "Gorman 2015",
            60.0 / 900, "mapped-readers", 49, 5 * Ms, "mmu-gather", "linux-6.1", InterruptsPerWork,
            "mapped-readers-long"),
        new("TLB interrupts a lookup, LUF over batches", "Park 2024",
            1.04 / 20.94, "tiered-lookup", 15, 80 * Ms, "linux-6.12", "lazy-until-reuse", InterruptsPerWork),
        new("lookups a second, LUF over batches", "Park 2024", 1044.0 / 1034.0, "tiered-lookup", 15, 80 * Ms, "linux-6.12", "lazy-until-reuse", WorkPerSecond),
        new("loops a second, INVLPGB alone", "van Riel 2024", 527.0 / 527, "tlb-flush2", 36, 5 * Ms, "linux-6.12", "broadcast", WorkPerSecond),
        new("loops a second, INVLPGB with the LRU lock moved in both", "van Riel 2024", 1157.0 / 731, "tlb-flush2", 36, 5 * Ms, "linux-6.12", "broadcast",
            WorkPerSecond),
    ];

    /// <summary>Runs both; returns the model's ratio.</summary>
    public double Measure()
    {
        Measurement before = Measurement.Run(Find(Workload), FlushPolicy.Find(Before)!, Cpus, DurationNs);
        Measurement after = Measurement.Run(Find(AfterWorkload ?? Workload), FlushPolicy.Find(After)!, Cpus, DurationNs);
        return Figure(after) / Figure(before);
    }

    private static Workload Find(string name) => Shootdown.Measure.Workload.Find(name)!;

    private static double InterruptsPerWork(Measurement run) => (double)run.TlbInterrupts / run.Work;

    private static double WorkPerSecond(Measurement run) => run.Work * 1e9 / run.DurationNs;
}
