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
        new("TLB interrupts a lookup, LUF over no batches", "Park 2024",
            1.0 / 72, "tiered-lookup", 15, 80 * Ms, "linux-6.1", "lazy-until-reuse", InterruptsPerWork),
        new("lookups a second, LUF over no batches", "Park 2024", 1.032, "tiered-lookup", 15, 80 * Ms, "linux-6.1", "lazy-until-reuse", WorkPerSecond),
        new("TLB interrupts a lookup, LUF over batches", "Park 2024",
            1.04 / 20.94, "tiered-lookup", 15, 80 * Ms, "linux-6.12", "lazy-until-reuse", InterruptsPerWork),
        new("lookups a second, LUF over batches", "Park 2024", 1044.0 / 1034.0, "tiered-lookup", 15, 80 * Ms, "linux-6.12", "lazy-until-reuse", WorkPerSecond),
        Loops("INVLPGB alone", 527.0 / 527, "linux-6.12", "broadcast"),
        Loops("lru_add_drain gone, without INVLPGB", 731.0 / 527, "linux-6.12", "linux-6.12", isMovedAfter: true),
        Loops("lru_add_drain gone and INVLPGB", 1157.0 / 527, "linux-6.12", "broadcast", isMovedAfter: true),
        Loops("INVLPGB where lru_add_drain is gone", 1157.0 / 731, "linux-6.12", "broadcast", isMovedAfter: true, isMovedBefore: true),
    ];

    /// <summary>True if the kernel of the first run does not call <c>lru_add_drain</c> where it unmaps.</summary>
    public bool IsLockMovedBefore { get; init; }

    /// <summary>True if that of the second does not.</summary>
    public bool IsLockMovedAfter { get; init; }

    /// <summary>Runs both; returns the model's ratio.</summary>
    public double Measure()
    {
        Measurement before = Measurement.Run(Find(Workload), PolicyOf(Before, IsLockMovedBefore), Cpus, DurationNs);
        Measurement after = Measurement.Run(Find(AfterWorkload ?? Workload), PolicyOf(After, IsLockMovedAfter), Cpus, DurationNs);
        return Figure(after) / Figure(before);
    }

    private static PublishedResult Loops(
        string title, double published, string before, string after, bool isMovedAfter = false, bool isMovedBefore = false)
        => new($"loops a second, {title}", "van Riel 2024", published, "tlb-flush2", 36, 5 * Ms, before, after, WorkPerSecond)
        {
            IsLockMovedBefore = isMovedBefore,
            IsLockMovedAfter = isMovedAfter,
        };

    private static FlushPolicy PolicyOf(string name, bool isLockMoved)
    {
        FlushPolicy policy = FlushPolicy.Find(name)!;
        return isLockMoved ? policy with { Profile = TimedLruLists.WithoutDrains(policy.Profile) } : policy;
    }

    private static Workload Find(string name) => Shootdown.Measure.Workload.Find(name)!;

    private static double InterruptsPerWork(Measurement run) => (double)run.TlbInterrupts / run.Work;

    private static double WorkPerSecond(Measurement run) => run.Work * 1e9 / run.DurationNs;
}
