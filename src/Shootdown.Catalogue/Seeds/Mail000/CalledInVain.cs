using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S000-12: calls that find nothing to do.</summary>
public sealed class CalledInVain : SeedItem
{
    private static readonly (string Name, (string Name, int Value)[] Bounds)[] Sizes =
    [
        ("only_end", [("api", 0)]),
        ("end_full", [("api", 1)]),
        ("only_end, beside a thread", [("api", 0), ("cpus", 2)]),
        ("only_end, two pages", [("api", 0), ("pages", 2)]),
    ];

    /// <inheritdoc/>
    public override string Id => "S000-12";

    /// <inheritdoc/>
    public override string Lines => "51-53, 56-58";

    /// <inheritdoc/>
    public override string Claim => "with a call under the lock and one implied by range_end, the second is made unnecessarily";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Each invalidation of the device is asked whether anything that is out of date can be cached that it drops (P-redundant: not since the
        last invalidation that covered it). Without an interface that leaves the second call out, and with each of the two that were proposed:
        an end that does less, and an end that does more. That a run has a call in vain does not say that every run has: so all runs are
        counted (P-cost), and the least of them decides.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Sizes.SelectMany(size => new[]
        {
            SeedRun.OfScenario($"implied, against {size.Name}", "notifier-double-invalidate", Variant.Bug, size.Bounds),
            SeedRun.OfScenario(size.Name, "notifier-double-invalidate", Variant.Fix, size.Bounds),
            SeedRun.OfScenarioCosts($"implied, against {size.Name}, cost", "notifier-double-invalidate", Variant.Bug, size.Bounds),
            SeedRun.OfScenarioCosts($"{size.Name}, cost", "notifier-double-invalidate", Variant.Fix, size.Bounds),
        }),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool found = Sizes.All(size => results[$"implied, against {size.Name}"].Property == "P-redundant");
        bool inVain = found && Sizes.All(size => InVain(results, $"implied, against {size.Name}, cost") is { Min: > 0 } vain && vain.Min == vain.Max
            && Flushes(results, $"implied, against {size.Name}, cost") == Flushes(results, $"{size.Name}, cost").Plus(vain.Min));
        bool cured = Sizes.All(size => results.Passed(size.Name) && InVain(results, $"{size.Name}, cost").Max == 0);
        var table = new SeedTable(
            "invalidations of the device, least..most over all runs",
            ["interface", "calls", "in vain"],
            [.. results.Runs.Where(run => run.Report?.Costs is not null).Select(run => (IReadOnlyList<string>)
                [run.Name[..^", cost".Length], Flushes(results, run.Name).ToString(), InVain(results, run.Name).ToString()])]);
        SeedAnswer answer = (inVain, cured) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "in every run the implied call drops nothing out of date; with either interface no call is in vain"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "the implied call is in vain, but so are others with one of the interfaces"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "the implied call finds something to drop"),
        };
        return answer with { Tables = [table] };
    }

    private static CostRange InVain(SeedResults results, string name) => results.Cost(name, CostKind.SecondaryRedundant);

    private static CostRange Flushes(SeedResults results, string name) => results.Cost(name, CostKind.SecondaryFlushes);
}
