using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>S000-10: what breaks a promise, told apart from what only costs more.</summary>
public sealed class EnhancementOrFix : UnmapItem
{
    /// <inheritdoc/>
    public override string Id => "S000-10";

    /// <inheritdoc/>
    public override string Lines => "46";

    /// <inheritdoc/>
    public override string Claim => "telling the device under the lock is an enhancement and not a bug fix: range_end alone was right too";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The unmap of reclaim with the CPUs' flush under the lock and the caller's reference held, as the mail assumes: the device told by
        range_end only, and told under the lock, each beside everything that the table of S000-09 knows. A property that is violated with the
        first and not with the second makes it a fix; without one it is a matter of cost. The calls of invalidate_range are counted over all
        runs (P-cost).
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        The exception is a thread that faults a new page in between the unlock and range_end, stores to it, and then tells the device to
        look: the device reads the old page. No page is freed too early and no call breaks its promise, but the order that the
        program relied on is lost (B43 is the same with copy-on-write). For that program the call under the lock is a fix.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Places.SelectMany(Models).Select(RunOf),
        .. Places.Select(place => CostOf(Alone(place))),
    ];

    private static IReadOnlyList<SecondaryFlush> Places => [SecondaryFlush.RangeEnd, SecondaryFlush.Both, SecondaryFlush.UnderLock];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        string[] worse =
        [
            .. Models(SecondaryFlush.RangeEnd).Zip(Models(SecondaryFlush.UnderLock))
                .Where(pair => !IsSafe(results, pair.First) && IsSafe(results, pair.Second))
                .Select(pair => $"{NameOf(pair.First.Peer)} ({Result(results, pair.First).Cell})"),
        ];
        var table = new SeedTable(
            "range_end against under the lock",
            ["device told", .. Peers.Select(NameOf), "calls of invalidate_range"],
            [
                .. Places.Select(place => (IReadOnlyList<string>)
                [
                    NameOf(place), .. Models(place).Select(model => Result(results, model).Cell), CallsOf(results, place),
                ]),
            ]);
        string calls = string.Join(", ", Places.Select(place => $"{NameOf(place)} {CallsOf(results, place)}"));
        SeedAnswer answer = worse.Length switch
        {
            0 => new SeedAnswer(SeedVerdict.Holds, $"equally safe beside everything: a matter of cost; calls: {calls}"),
            _ when worse.Length < Peers.Count => new SeedAnswer(
                SeedVerdict.Depends, $"a fix beside {string.Join(", ", worse)}, otherwise a matter of cost; calls: {calls}"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "range_end alone is safe beside nothing"),
        };
        return answer with { Tables = [table] };
    }

    private static IEnumerable<UnmapModel> Models(SecondaryFlush place)
        => Peers.Select(peer => new UnmapModel(PrimaryFlush.UnderLock, place, ReferenceHeld.UntilFlushed, peer));

    private static UnmapModel Alone(SecondaryFlush place) => Models(place).First();

    private static string CallsOf(SeedResults results, SecondaryFlush place)
        => results[CostName(Alone(place))].Report?.Costs?.Run?.Calls.TryGetValue(InvalidateRange, out CostRange calls) == true ? calls.ToString() : "not counted";
}
