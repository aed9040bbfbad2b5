using Shootdown.Check;
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
        A madvise in one area beside ptep_clear_flush() of an old NUMA hint, whose flush was made long ago, in another area or in another
        table of the same. Flushes that had nothing old to drop are counted, over all runs, under Linux 6.12, which detects per mm, and under
        designs that compare generations per mm, per area and per table.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. from design in DetectionDesigns.Grains
           from place in Places
           from run in new[]
           {
               DesignRuns.Safety(DetectionDesigns.Name(design, place.Name), design, new OtherArea(place.Page)),
               DesignRuns.Costs($"{DetectionDesigns.Name(design, place.Name)}, costs", design, new OtherArea(place.Page)),
           }
           select run,
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        FlushDesign[] designs = [.. DetectionDesigns.Grains];
        bool isSafe = designs.All(design => Places.All(place => results.Passed(DetectionDesigns.Name(design, place.Name))));
        var table = new SeedTable(
            "flushes of all runs, least..most",
            ["design", "safe", .. Places.Select(place => $"IPIs, {place.Name}"), .. Places.Select(place => $"nothing to drop, {place.Name}")],
            [.. designs.Select(design => new[] { design.Id, Places.All(place => results.Passed(DetectionDesigns.Name(design, place.Name))) ? "safe" : "not safe" }
                .Concat(Places.Select(place => Cost(results, design, place.Name, CostKind.IpisSent).ToString()))
                .Concat(Places.Select(place => Cost(results, design, place.Name, CostKind.Redundant).ToString())).ToArray())]);
        string counts = string.Join("; ", Places.Select(place
            => $"{string.Join(", ", designs.Select(design => Cost(results, design, place.Name, CostKind.Redundant).Max))} with the hint in {place.Name}"));
        long[] elsewhere = [.. designs.Select(design => Cost(results, design, Places[0].Name, CostKind.Redundant).Max)];
        SeedAnswer answer = !isSafe ? new SeedAnswer(SeedVerdict.Refuted, "one of the designs is not safe here")
            : new SeedAnswer(
                elsewhere[0] > elsewhere[2] && elsewhere[0] > elsewhere[3] ? SeedVerdict.Holds : SeedVerdict.Refuted,
                $"useless flushes of a run under 6.12, per mm, area, table: {counts}; all are safe");
        return answer with { Tables = [table] };
    }

    private static readonly (string Name, int Page)[] Places =
        [("another area", OtherArea.InOtherArea), ("another table", OtherArea.InOtherTable)];

    private static CostRange Cost(SeedResults results, FlushDesign design, string place, CostKind kind)
        => results.Cost($"{DetectionDesigns.Name(design, place)}, costs", kind);
}
