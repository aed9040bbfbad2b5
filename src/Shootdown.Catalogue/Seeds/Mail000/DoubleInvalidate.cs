using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S000-02: once explicitly, once by the end of the range.</summary>
public sealed class DoubleInvalidate : UnmapItem
{
    /// <inheritdoc/>
    public override string Id => "S000-02";

    /// <inheritdoc/>
    public override string Lines => "13-16";

    /// <inheritdoc/>
    public override string Claim => "called there, invalidate_range is called twice: the end of the range implies it again";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Both designs beside every operation: is one safe where the other is not? And for each invalidation of the device: may it drop
        anything that is out of date (P-redundant)? Since one run in which it may not proves nothing of the others, commands of both
        designs and those in vain are counted over all runs (P-cost): beside a user thread, and for two pages.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("twice", "notifier-double-invalidate", Variant.Bug),
        SeedRun.OfScenario("once", "notifier-double-invalidate", Variant.Fix),
        .. Models(SecondaryFlush.Both).Concat(Models(SecondaryFlush.UnderLock)).Select(RunOf),
        .. Counted(SecondaryFlush.Both).Concat(Counted(SecondaryFlush.UnderLock)).Select(CostOf),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool wastes = results["twice"].Property == "P-redundant" && results.Passed("once");
        bool same = Models(SecondaryFlush.Both).Zip(Models(SecondaryFlush.UnderLock))
            .All(pair => Result(results, pair.First).Cell == Result(results, pair.Second).Cell);
        bool always = Counted(SecondaryFlush.Both).Zip(Counted(SecondaryFlush.UnderLock)).All(pair
            => Cost(results, pair.First, CostKind.SecondaryRedundant) == new CostRange(pair.First.Unmapped, pair.First.Unmapped)
                && Cost(results, pair.Second, CostKind.SecondaryRedundant) == new CostRange(0, 0)
                && Cost(results, pair.First, CostKind.SecondaryFlushes) == Cost(results, pair.Second, CostKind.SecondaryFlushes).Plus(pair.First.Unmapped));
        var table = new SeedTable(
            "commands to the IOMMU, least..most over all runs",
            ["pages", "twice", "in vain", "once", "in vain"],
            [
                .. Counted(SecondaryFlush.Both).Zip(Counted(SecondaryFlush.UnderLock)).Select(pair => (IReadOnlyList<string>)
                [
                    $"{pair.First.Unmapped}", $"{Cost(results, pair.First, CostKind.SecondaryFlushes)}", $"{Cost(results, pair.First, CostKind.SecondaryRedundant)}",
                    $"{Cost(results, pair.Second, CostKind.SecondaryFlushes)}", $"{Cost(results, pair.Second, CostKind.SecondaryRedundant)}",
                ]),
            ]);
        SeedAnswer answer = (wastes, same, always) switch
        {
            (true, true, true) => new SeedAnswer(SeedVerdict.Holds,
                "equally safe beside every operation; in every run each unmap costs one command more, which finds nothing out of date"),
            (true, true, false) => new SeedAnswer(SeedVerdict.Depends, "equally safe, but the second call is not in vain in every run"),
            (true, false, _) => new SeedAnswer(SeedVerdict.Depends,
                "the second call finds nothing after an unmap alone, but the designs differ beside other operations"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "no invalidation was for nothing"),
        };
        return answer with { Tables = [table] };
    }

    private static CostRange Cost(SeedResults results, UnmapModel model, CostKind kind) => results.Cost(CostName(model), kind);

    private static UnmapModel[] Counted(SecondaryFlush place)
        => [.. new[] { 1, 2 }.Select(pages => Models(place).First() with { Pages = pages, Unmapped = pages })];

    private static IEnumerable<UnmapModel> Models(SecondaryFlush place)
        => Peers.Select(peer => new UnmapModel(PrimaryFlush.UnderLock, place, ReferenceHeld.UntilFlushed, peer));
}
