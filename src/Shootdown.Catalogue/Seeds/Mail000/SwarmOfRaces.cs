using System.Globalization;

namespace Shootdown.Catalogue;

/// <summary>
/// S000-16: every two operations on one page, on the correct kernel and on four that forget what is owed; and three at a time of those
/// that the mail is about.
/// </summary>
public sealed class SwarmOfRaces : SeedItem
{
    private static readonly string[] Forgetful = ["B01", "B02", "B05", "B08"];

    /// <summary>What removes or protects, and reclaim, which defers.</summary>
    private static readonly string[] AtOnce = ["madvise-dontneed", "mprotect-ro", "mremap", "munmap", "reclaim-batched"];

    /// <inheritdoc/>
    public override string Id => "S000-16";

    /// <inheritdoc/>
    public override string Lines => "60-63, 75-76";

    /// <inheritdoc/>
    public override string Claim => "there is a swarm of such problems: deferring a flush must be thought through against every other operation";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Every two operations of the library on the same anonymous page, beside a CPU that stores to it: first on today's kernel, then on
        kernels that each lack one of the rules which make a deferral known to others (the bugs of B01, B02, B05 and B08): there also beside
        a CPU that stores to clean pages, a lazy one and one that switches, until one shows a violation. The whole matrix, with
        files, copies, neighbouring pages, lazy and switching CPUs, is ./shootdown pairs. Then every three different ones of madvise(MADV_DONTNEED),
        mprotect, mremap, munmap and reclaim, beside the same CPU, on today's kernel; ./shootdown pairs --triples runs more.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Cells(_ => true, Bystander.Busy).Select(cell => SeedRun.OfPair($"today: {Pair(cell)}", cell)),
        .. Triples.Select(cell => SeedRun.OfPair($"three: {Pair(cell)}", cell)),
        .. Forgetful.SelectMany(bug => Cells(cell => cell.Operations.Any(one => Defers(bug, one.Id)), beside: null).GroupBy(Pair)
            .Select(pair => SeedRun.OfFirstPair($"{bug}: {pair.Key}", [.. pair], SetupOf(bug)))),
    ];

    /// <inheritdoc/>
    public override string Remark =>
        """
        Without the rule of B08 no pair fails beside the CPU that stores: its pages were stored to before, and that mremap flushed for a dirty
        entry under the lock, and late only for clean ones. On clean pages those fail that find the page by its reverse mapping: they see it at
        the new place, flush that, and free the frame or move it, while the old place is still in a TLB. What takes mmap_lock cannot come
        in between.
        """;

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        SeedRunResult[] today = [.. results.Runs.Where(run => run.Name.StartsWith("today", StringComparison.Ordinal))];
        SeedRunResult[] three = [.. results.Runs.Where(run => run.Name.StartsWith("three", StringComparison.Ordinal))];
        bool clean = today.Concat(three).All(run => run.Verdict == Check.Verdict.Pass);
        string[][] rows = [.. Forgetful.Select(bug => Row(bug, results))];
        int broken = rows.Sum(row => int.Parse(row[2], CultureInfo.InvariantCulture));
        var table = new SeedTable("kernels that lack one rule", ["without", "pairs run", "pairs that fail", "which"], rows);
        return new SeedAnswer(
            !clean ? SeedVerdict.Undecided : broken > Forgetful.Length ? SeedVerdict.Holds : SeedVerdict.Refuted,
            $"{today.Length} pairs and {three.Length} triples pass today{(clean ? string.Empty : " only in part")}; "
                + $"without one of {Forgetful.Length} rules {broken} pairs fail")
        {
            Tables = [table],
        };
    }

    private static string[] Row(string bug, SeedResults results)
    {
        SeedRunResult[] runs = [.. results.Runs.Where(run => run.Name.StartsWith($"{bug}:", StringComparison.Ordinal))];
        SeedRunResult[] failing = [.. runs.Where(run => run.Verdict == Check.Verdict.Violation)];
        return
        [
            $"{bug} {ScenarioList.Find(bug)!.Id}",
            runs.Length.ToString(CultureInfo.InvariantCulture),
            failing.Length.ToString(CultureInfo.InvariantCulture),
            string.Join(", ", failing.Take(4).Select(run => run.Name[(bug.Length + 2)..])) + (failing.Length > 4 ? ", ..." : string.Empty),
        ];
    }

    /// <summary>The operations whose deferral the rule is about.</summary>
    private static bool Defers(string bug, string operation) => bug switch
    {
        "B01" => operation == "reclaim-batched",
        "B02" => operation is "madvise-dontneed" or "munmap",
        "B05" => operation == "numa-hint",
        _ => operation == "mremap",
    };

    private static PairSetup SetupOf(string bug) => PairSetup.OfBug(ScenarioList.Find(bug)!)! with { Name = bug };

    /// <summary>Every two operations on the same anonymous page, beside one bystander or each of them.</summary>
    private static IEnumerable<PairCell> Cells(Func<PairCell, bool> wanted, Bystander? beside) => PairMatrix.Pairs(OperationList.All, [])
        .Where(cell => cell is { Relation: RangeRelation.Same, Kind: PageKind.Anonymous, Operations.Count: 2 }
            && cell.Bystander is Bystander.Busy or Bystander.Dirtying or Bystander.Lazy or Bystander.Switching
            && (beside is null || cell.Bystander == beside) && WasThere(cell) && wanted(cell));

    private static IEnumerable<PairCell> Triples => PairMatrix.Triples([.. OperationList.All.Where(operation => AtOnce.Contains(operation.Id))], [])
        .Where(cell => cell is { Kind: PageKind.Anonymous, Bystander: Bystander.Busy } && cell.Operations.Distinct().Count() == cell.Operations.Count);

    /// <summary>mremap moves whole tables since 2019. Operations that meet a few others only are left out.</summary>
    internal static bool WasThere(PairCell cell) => cell.Operations.All(operation => operation.MeetsAll && operation is not MremapTablesOperation);

    private static string Pair(PairCell cell) => string.Join(" x ", cell.Operations.Select(operation => operation.Id));
}
