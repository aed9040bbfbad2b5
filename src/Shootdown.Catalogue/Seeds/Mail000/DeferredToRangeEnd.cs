namespace Shootdown.Catalogue;

/// <summary>S000-08: with a batched flush the secondary TLBs might as well wait for the end of the range.</summary>
public sealed class DeferredToRangeEnd : UnmapItem
{
    private static readonly UnmapPeer[] Columns = [UnmapPeer.None, UnmapPeer.Dontneed, UnmapPeer.Mprotect, UnmapPeer.MunmapMmap];

    /// <inheritdoc/>
    public override string Id => "S000-08";

    /// <inheritdoc/>
    public override string Lines => "39-44";

    /// <inheritdoc/>
    public override string Claim => "if the CPUs' flush is batched anyway, the secondary TLBs may wait for range_end";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        A batched unmap that tells the device only in range_end, beside calls that find the entry cleared. Their own range_end implies
        invalidate_range (4.14 to 6.5), or it does not and they tell the device only of what they cleared themselves.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs => [.. Models(true).Concat(Models(false)).Select(RunOf)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        bool lives = Models(true).Concat(Models(false)).All(model => Result(results, model).Property != "P-life");
        bool implied = Models(true).All(model => IsSafe(results, model));
        bool plain = Models(false).All(model => IsSafe(results, model));
        SeedTable table = TableOf(
            results, "Batched unmap, device told in range_end", ["range_end of the others", .. Columns.Select(NameOf)],
            [((string[])["implies"], Models(true)), ((string[])["does not"], Models(false))]);
        SeedAnswer answer = (lives, implied, plain) switch
        {
            (true, true, false) => new SeedAnswer(SeedVerdict.Depends,
                "no page dies early; other calls keep their promises only because their own range_end tells the device of the whole range"),
            (true, true, true) => new SeedAnswer(SeedVerdict.Holds, "safe, whatever the others' range_end implies"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "it is not safe even if the others' range_end implies invalidate_range"),
        };
        return answer with { Tables = [table] };
    }

    private static IEnumerable<UnmapModel> Models(bool othersImply)
        => Columns.Select(peer => new UnmapModel(PrimaryFlush.Batched, SecondaryFlush.RangeEnd, ReferenceHeld.UntilFlushed, peer)
        {
            OthersImply = othersImply,
        });
}
