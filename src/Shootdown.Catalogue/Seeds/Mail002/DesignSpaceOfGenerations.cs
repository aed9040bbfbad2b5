using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S002-07.</summary>
public sealed class DesignSpaceOfGenerations : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-07";

    /// <inheritdoc/>
    public override string Lines => "63";

    /// <inheritdoc/>
    public override string Claim => "think if there is a better solution: the space of designs, and which of them are safe";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        All combinations of: when a change takes a generation (always, or only if the process moved on), what the last flush is aimed at
        (the noted generation, or a new one), what readers compare (the noted with the reached generation, or the count of gathers). Each on
        the workloads that can tell them apart; the safe ones with their costs.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Points.SelectMany(point => Workloads.Select(workload => DesignRuns.Safety(Name(point, workload), point, workload))),
        .. Points.Select(point => DesignRuns.Costs(CostName(point), point, new SwitchAwayAndBack())),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        EnumeratedDesign[] safe = [.. Points.Where(point => Workloads.All(workload => results.Passed(Name(point, workload))))];
        var table = new SeedTable(
            "the design space; costs on switch-away, least..most",
            ["design", .. Workloads.Select(workload => workload.Id), "full", "partial"],
            [.. Points.Select(point => (IReadOnlyList<string>)
            [
                point.Id, .. Workloads.Select(workload => results[Name(point, workload)].Cell),
                results.Cost(CostName(point), CostKind.FullFlushes).ToString(), results.Cost(CostName(point), CostKind.PartialFlushes).ToString(),
            ])]);
        bool always = safe.Length > 0 && safe.All(point => point.AlwaysIncrements);
        SeedAnswer answer = safe.Length == 0
            ? new SeedAnswer(SeedVerdict.Refuted, "no combination is safe")
            : new SeedAnswer(SeedVerdict.Depends, $"{safe.Length} of {Points.Length} are safe: "
                + (always ? "exactly those that always increment"
                    : string.Join("; ", safe.Where(point => !point.AlwaysIncrements).Select(point => point.Id))
                        + (safe.Any(point => point.AlwaysIncrements) ? "; and always incrementing" : string.Empty)));
        return answer with { Tables = [table] };
    }

    private static EnumeratedDesign[] Points =>
    [
        .. from rule in new[] { IncrementRule.Always, IncrementRule.IfChanged }
           from aimed in new[] { true, false }
           from compares in new[] { true, false }
           select new EnumeratedDesign(rule, aimed, compares),
    ];

    private static DesignWorkload[] Workloads => [new TwoMadvise(), new SwitchAwayAndBack(), new LazyTables(), new LateReader()];

    private static string Name(FlushDesign point, DesignWorkload workload) => $"{point.Id}, {workload.Id}";

    private static string CostName(FlushDesign point) => $"{point.Id}, costs";
}
