namespace Shootdown.Catalogue;

/// <summary>S000-06: how long somebody must hold a reference.</summary>
public sealed class NotTheLastReference : UnmapItem
{
    private static readonly (PrimaryFlush Primary, SecondaryFlush Secondary)[] Designs =
    [
        (PrimaryFlush.UnderLock, SecondaryFlush.UnderLock), (PrimaryFlush.UnderLock, SecondaryFlush.AfterLock),
        (PrimaryFlush.UnderLock, SecondaryFlush.RangeEnd), (PrimaryFlush.Batched, SecondaryFlush.UnderLock),
        (PrimaryFlush.Batched, SecondaryFlush.RangeEnd),
    ];

    private static readonly ReferenceHeld[] References = Enum.GetValues<ReferenceHeld>();

    /// <inheritdoc/>
    public override string Id => "S000-06";

    /// <inheritdoc/>
    public override string Lines => "27-30";

    /// <inheritdoc/>
    public override string Claim => "the put_page of try_to_unmap_one must not be the last: the caller holds a reference";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The caller has no reference of its own, or drops it behind the unlock, behind the end of the range, or behind the batched flush. For each
        design of the flushes, the shortest of these that is safe, beside a user thread and a device.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs => [.. Designs.SelectMany(Models).Select(RunOf)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        // Longer must never be worse, and for each design there is a shortest that is safe.
        bool isMonotone = Designs.All(design => Models(design).Select(model => IsSafe(results, model)).SkipWhile(safe => !safe).All(safe => safe));
        ReferenceHeld[] shortest = [.. Designs.Select(design => References.FirstOrDefault(
            reference => IsSafe(results, Model(design, reference)), (ReferenceHeld)References.Length))];
        SeedTable table = TableOf(
            results, "How long the caller holds a reference", ["primary", "secondary", .. References.Select(NameOf)],
            Designs.Select(design => ((string[])[NameOf(design.Primary), NameOf(design.Secondary)], Models(design))));
        bool decided = isMonotone && shortest.All(reference => Enum.IsDefined(reference));
        bool needed = shortest.Skip(1).All(reference => reference > ReferenceHeld.No);
        SeedAnswer answer = (decided, needed, shortest[0]) switch
        {
            (true, true, ReferenceHeld.No) => new SeedAnswer(SeedVerdict.Holds,
                "safe if and only if a reference is held until the last flush; with both flushes under the PTL the entry's own will do"),
            (true, true, _) => new SeedAnswer(SeedVerdict.Holds, "every design needs the caller's reference, until its last flush"),
            (true, false, _) => new SeedAnswer(SeedVerdict.Refuted, "a design that flushes behind the lock is safe without the caller's reference"),
            _ => new SeedAnswer(SeedVerdict.Depends, "a design is not safe even if the reference is held throughout"),
        };
        return answer with { Tables = [table] };
    }

    private static IEnumerable<UnmapModel> Models((PrimaryFlush Primary, SecondaryFlush Secondary) design)
        => References.Select(reference => Model(design, reference));

    private static UnmapModel Model((PrimaryFlush Primary, SecondaryFlush Secondary) design, ReferenceHeld reference)
        => new(design.Primary, design.Secondary, reference, UnmapPeer.None);
}
