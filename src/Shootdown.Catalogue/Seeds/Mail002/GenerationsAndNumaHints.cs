using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S002-10.</summary>
public sealed class GenerationsAndNumaHints : SeedItem
{
    private const string NoDetection = "no detection";

    /// <summary>Where the hint is, while a flush of page 0 is owed.</summary>
    private static readonly (string Name, int Page)[] Places =
        [("another table", OtherArea.InOtherTable), ("another area", OtherArea.InOtherArea)];

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
        NUMA hinting of a page, the fault that moves it, and a third thread that stores through whatever it has (catalogue B05), on Linux
        6.12, on the designs that detect owed flushes in another way, and on one that detects none: pte_accessible() is true for present
        entries only. Then what finer detection saves: a page whose hint was flushed long ago is moved by a fault, while madvise owes a flush of
        a page of another table, or of another area. Migration flushes page by page there, as when the mail was written.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        Since 6.3 the fault defers the flush of the move: set_tlb_ubc_flush_pending() asks pte_accessible() as well, but is not told the address, so
        what is noted for areas and tables cannot help there, and all designs would cost the same.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Designs.Select(design => DesignRuns.Safety(design.Id, design, new NumaHintingMove())),
        DesignRuns.Safety(NoDetection, new NoDetection(), new NumaHintingMove()),
        .. from design in Designs
           from place in Places
           from run in new[]
           {
               DesignRuns.Safety(DetectionDesigns.Name(design, place.Name), new WithoutBatchedMigration(design), new NumaHintElsewhere(place.Page)),
               DesignRuns.Costs($"{DetectionDesigns.Name(design, place.Name)}, costs", new WithoutBatchedMigration(design), new NumaHintElsewhere(place.Page)),
           }
           select run,
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] lost = [.. Designs.Where(design => !IsSafe(results, design)).Select(design => design.Id)];
        bool control = results.Violated(NoDetection);
        var table = new SeedTable(
            "flushes of all runs that drop nothing, least..most, with the hint in",
            ["design", "verdict", .. Places.Select(place => place.Name)],
            [
                .. Designs.Select(design => new[] { design.Id, IsSafe(results, design) ? "safe" : "not safe" }
                    .Concat(Places.Select(place => Useless(results, design, place.Name).ToString())).ToArray()),
                ["no-detection", results[NoDetection].Cell, "", ""],
            ]);
        SeedAnswer answer = (lost.Length == 0, control) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Holds,
                $"no store is lost under {Designs.Length} ways to detect, {results[NoDetection].Property} without any; {Savings(results)}"),
            (true, false) => new SeedAnswer(SeedVerdict.Undecided, "nothing is lost without detection either: the runs do not show what it is for"),
            _ => new SeedAnswer(SeedVerdict.Refuted, $"lost under {string.Join(", ", lost)}"),
        };
        return answer with { Tables = [table] };
    }

    private static FlushDesign[] Designs => [DetectionDesigns.Today, .. DetectionDesigns.Others];

    private static bool IsSafe(SeedResults results, FlushDesign design)
        => results.Passed(design.Id) && Places.All(place => results.Passed(DetectionDesigns.Name(design, place.Name)));

    private static string Savings(SeedResults results) => "useless flushes of a run (hint in another table, area): "
        + string.Join("; ", DetectionDesigns.Grains.Select(design
            => string.Join(", ", Places.Select(place => Useless(results, design, place.Name).Max)))
            .Zip(["6.12", "mm", "area", "table"], (counts, name) => $"{name} {counts}"));

    private static CostRange Useless(SeedResults results, FlushDesign design, string place)
        => results.Cost($"{DetectionDesigns.Name(design, place)}, costs", CostKind.Redundant);
}
