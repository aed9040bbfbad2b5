using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S002-06.</summary>
public sealed class CostOfAlwaysIncrementing : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-06";

    /// <inheritdoc/>
    public override string Lines => "63-67";

    /// <inheritdoc/>
    public override string Claim => "incrementing always makes the flush full instead of ranged; above 33 pages it is full anyway";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        mprotect of two pages while another CPU comes and goes, and munmap of one page, with both rules: full and partial flushes over all
        runs. Then with a ceiling of one page.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Cells.SelectMany(cell => Rules.Select(rule => DesignRuns.Costs(
            Name(cell.Workload, rule, cell.Ceiling), cell.Ceiling == 33 ? rule : new WithCeiling(rule, cell.Ceiling), cell.Workload))),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool twoBecomeFull = Full(results, 0, 0).Max == 0 && Full(results, 0, 1).Min > 0;
        bool oneStays = Full(results, 1, 0) == Full(results, 1, 1) && Full(results, 1, 1).Max == 0;
        bool ceilingEqual = Full(results, 2, 0) == Full(results, 2, 1);
        var table = new SeedTable(
            "flushes of all runs, least..most",
            ["workload", "ceiling", "rule", "full", "partial"],
            [.. Cells.SelectMany((cell, i) => Rules.Select((rule, j) => new[]
            {
                cell.Workload.Id, $"{cell.Ceiling}", j == 0 ? "if changed" : "always", Full(results, i, j).ToString(),
                results.Cost(Name(cell.Workload, rule, cell.Ceiling), CostKind.PartialFlushes).ToString(),
            }))]);
        SeedAnswer answer = twoBecomeFull && ceilingEqual
            ? new SeedAnswer(SeedVerdict.Holds, "two changes: every run has a full flush instead of partial ones only"
                + (oneStays ? "; one change: no difference" : string.Empty) + "; above the ceiling both rules cost the same in full flushes")
            : new SeedAnswer(SeedVerdict.Depends, $"two changes become full: {twoBecomeFull}; above the ceiling the same: {ceilingEqual}");
        return answer with { Tables = [table] };
    }

    private static FlushDesign[] Rules => [new VmaGenerationOnce(), new VmaGeneration()];

    private static (DesignWorkload Workload, int Ceiling)[] Cells
        => [(new SwitchAwayAndBack(), 33), (new MunmapReuse(), 33), (new SwitchAwayAndBack(), 1)];

    private static CostRange Full(SeedResults results, int cell, int rule)
        => results.Cost(Name(Cells[cell].Workload, Rules[rule], Cells[cell].Ceiling), CostKind.FullFlushes);

    private static string Name(DesignWorkload workload, FlushDesign rule, int ceiling) => $"{workload.Id}, {rule.Id}, ceiling {ceiling}";
}
