using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>S004-12: which paths reach range_start.</summary>
public sealed class PathsToRangeStart : SeedItem
{
    private const string Spinlock = "ways in atomic context, with i_mmap_lock a spinlock";
    private const string Today = "ways in atomic context, with today's locks";
    private const string Function = "mmu_notifier_invalidate_range_start";

    /// <inheritdoc/>
    public override string Id => "S004-12";

    /// <inheritdoc/>
    public override string Lines => "26-27";

    /// <inheritdoc/>
    public override string Claim => "truncation was missed: it reaches range_start with a spinlock held";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Every operation of the library runs on small machines; each way on which one of them reaches mmu_notifier_invalidate_range_start is
        listed with what is held there, with i_mmap_lock a spinlock as in 2010 and with today's locks. Calls that the code contains and no run
        made are listed too. The same on the command line: ./shootdown paths --to mmu_notifier_invalidate_range_start --spinlock i_mmap
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfFacts(Spinlock, $"paths {Function} i_mmap", () => Atomic(new KernelOptions { IMmapLock = RmapLockKind.Spinlock })),
        SeedRun.OfFacts(Today, $"paths {Function}", () => Atomic(new KernelOptions())),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] atomic = [.. results[Spinlock].Facts.Where(fact => !IsUnseen(fact))];
        string[] operations = [.. atomic.Select(fact => fact[..fact.IndexOf(':', StringComparison.Ordinal)]).Distinct()];
        int unseen = results.Runs.SelectMany(run => run.Facts).Count(IsUnseen);
        bool today = !results[Today].Facts.Any(fact => !IsUnseen(fact));
        string rest = $"{(today ? "none with today's locks" : "some with today's locks too")}{(unseen > 0 ? $"; {unseen} calls were not run" : string.Empty)}";
        return operations.Contains("truncate")
            ? new SeedAnswer(SeedVerdict.Holds, $"truncate is one of {operations.Length} operations that do; {rest}")
            : new SeedAnswer(SeedVerdict.Refuted, $"truncation does not; {rest}");
    }

    private static bool IsUnseen(string fact) => fact.StartsWith("not run:", StringComparison.Ordinal);

    private static IReadOnlyList<string> Atomic(KernelOptions build)
    {
        PathReport report = PathFinder.Find(Function, [], build);
        return
        [
            .. report.Paths.Where(path => path.IsAtomic).Select(path => $"{path.Operation}: {path.CallText} [{path.HeldText}]"),
            .. report.Unseen.Select(call => $"not run: {call}"),
            .. report.Cut.Select(machine => $"not run: {machine}"),
        ];
    }
}
