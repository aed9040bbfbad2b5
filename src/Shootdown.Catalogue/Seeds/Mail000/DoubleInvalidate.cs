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
        anything that is out of date (P-redundant)?
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("twice", "notifier-double-invalidate", Variant.Bug),
        SeedRun.OfScenario("once", "notifier-double-invalidate", Variant.Fix),
        .. Models(SecondaryFlush.Both).Concat(Models(SecondaryFlush.UnderLock)).Select(RunOf),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool wastes = results["twice"].Property == "P-redundant" && results.Passed("once");
        bool same = Models(SecondaryFlush.Both).Zip(Models(SecondaryFlush.UnderLock))
            .All(pair => Result(results, pair.First).Cell == Result(results, pair.Second).Cell);
        return (wastes, same) switch
        {
            (true, true) => new SeedAnswer(SeedVerdict.Holds,
                "equally safe beside every operation; the second invalidation of each unmap never finds anything out of date"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends,
                "the second call finds nothing after an unmap alone, but the designs differ beside other operations"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "no invalidation was for nothing"),
        };
    }

    private static IEnumerable<UnmapModel> Models(SecondaryFlush place)
        => Peers.Select(peer => new UnmapModel(PrimaryFlush.UnderLock, place, ReferenceHeld.UntilFlushed, peer));
}
