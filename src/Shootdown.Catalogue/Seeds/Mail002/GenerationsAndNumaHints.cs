using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S002-10.</summary>
public sealed class GenerationsAndNumaHints : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-10";

    /// <inheritdoc/>
    public override string Lines => "17";

    /// <inheritdoc/>
    public override string Claim => "NUMA hinting is one of those that defer: finer detection must not lose its flush";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        NUMA hinting of a page, the fault that moves it, and a third thread that stores through whatever it has (catalogue B05), on all
        designs that detect owed flushes in another way than Linux 6.12.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Designs.Select(design => DesignRuns.Safety(design.Id, design, new NumaHintingMove())),
        .. Designs.Select(design => DesignRuns.Costs($"{design.Id}, costs", design, new NumaHintingMove())),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] lost = [.. Designs.Where(design => !results.Passed(design.Id)).Select(design => design.Id)];
        var table = new SeedTable(
            "flushes of all runs, least..most", ["design", "verdict", "IPIs", "nothing to drop"], [.. Designs.Select(design => new[]
        {
            design.Id, results[design.Id].Cell, results.Cost($"{design.Id}, costs", CostKind.IpisSent).ToString(),
            results.Cost($"{design.Id}, costs", CostKind.Redundant).ToString(),
        })]);
        SeedAnswer answer = lost.Length == 0
            ? new SeedAnswer(SeedVerdict.Holds, $"no store is lost and nothing freed is reached under any of {Designs.Length} designs")
            : new SeedAnswer(SeedVerdict.Refuted, $"lost under {string.Join(", ", lost)}");
        return answer with { Tables = [table] };
    }

    private static FlushDesign[] Designs =>
        [new BatchedFlush(), new PerMmPending(), new VmaGeneration(), new TableGeneration(), new VmaGenerationOnce(), new TableGenerationOnce()];
}
