using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S002-01.</summary>
public sealed class DetectionPerMm : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-01";

    /// <inheritdoc/>
    public override string Lines => "16-20";

    /// <inheritdoc/>
    public override string Claim => "detection per mm: a flush owed anywhere makes ptep_clear_flush flush entries of other areas";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        A madvise in one area beside ptep_clear_flush() of an old NUMA hint in another area, whose flush was made long ago. Flushes
        that had nothing old to drop are counted, over all runs, under designs that detect per mm, per area and per table.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Detectors.SelectMany(design => new[]
        {
            DesignRuns.Safety($"{design.Id}", design, new OtherArea()),
            DesignRuns.Costs($"{design.Id}, costs", design, new OtherArea()),
        }),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        SeedAnswer? broken = Detectors.Any(design => !results.Passed(design.Id))
            ? new SeedAnswer(SeedVerdict.Refuted, "one of the designs is not safe here") : null;
        long perMm = Useless(results, Detectors[0]);
        long fine = Detectors.Skip(1).Max(design => Useless(results, design));
        var table = new SeedTable(
            "flushes of all runs, least..most",
            ["design", "safe", "IPIs", "flushes with nothing to drop"],
            [.. Detectors.Select(design => new[]
            {
                design.Id, results[design.Id].Cell, results.Cost($"{design.Id}, costs", CostKind.IpisSent).ToString(),
                results.Cost($"{design.Id}, costs", CostKind.Redundant).ToString(),
            })]);
        return (broken ?? (perMm > fine
            ? new SeedAnswer(
                SeedVerdict.Holds, $"per mm up to {perMm} flushes of a run drop nothing; per area and per table at most {fine}; all are safe")
            : new SeedAnswer(SeedVerdict.Refuted, $"per mm at most {perMm} flushes drop nothing, finer detection {fine}"))) with
        { Tables = [table] };
    }

    private static FlushDesign[] Detectors => [new BatchedFlush(), new VmaGeneration(), new TableGeneration()];

    private static long Useless(SeedResults results, FlushDesign design) => results.Cost($"{design.Id}, costs", CostKind.Redundant).Max;
}
