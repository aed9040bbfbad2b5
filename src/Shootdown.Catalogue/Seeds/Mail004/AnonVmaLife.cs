namespace Shootdown.Catalogue;

/// <summary>S004-09: a reference instead of a sleeping lock.</summary>
public sealed class AnonVmaLife : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-09";

    /// <inheritdoc/>
    public override string Lines => "36-37";

    /// <inheritdoc/>
    public override string Claim => "or the anon_vma lock stays a spinlock, and a reference keeps the anon_vma while the notifier sleeps";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        A walk over an anon_vma calls a notifier that sleeps, while munmap unlinks the last area and gives the anon_vma up. It is kept by
        its spinlock, by nothing,
        by a reference taken under the spinlock, by a reference taken without it, or by a sleeping lock. With one walker, then with two.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        "The reference keeps the anon_vma, not what it says: behind the sleep its areas may be gone, and the walk must look again under the lock.";

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. from hold in Enum.GetValues<AnonVmaHold>()
           from walkers in new[] { 1, 2 }
           select SeedRun.OfModel(NameOf(hold, walkers), $"anon_vma life {hold} {walkers}", () => AnonVmaLifeModel.Build(hold, walkers)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool reference = Passes(results, AnonVmaHold.Reference);
        bool needed = !Passes(results, AnonVmaHold.Nothing) && !Passes(results, AnonVmaHold.Spinlock);
        string blind = Passes(results, AnonVmaHold.BlindReference) ? "wherever it is taken" : "if it is taken under the spinlock";
        SeedAnswer answer = (reference, needed) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Holds, $"a reference is enough {blind}; the spinlock alone sleeps in atomic context, and nothing frees too early"),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "a reference is enough, but it is not needed here"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "a reference does not keep the anon_vma"),
        };
        return answer with { Tables = [TableOf(results)] };
    }

    private static bool Passes(SeedResults results, AnonVmaHold hold)
        => new[] { 1, 2 }.All(walkers => results.Passed(NameOf(hold, walkers)));

    private static SeedTable TableOf(SeedResults results) => new(
        "A walk sleeps in a notifier",
        ["kept by", "1 walker", "2 walkers"],
        [
            .. Enum.GetValues<AnonVmaHold>().Select(hold => (IReadOnlyList<string>)
                [TextOf(hold), results[NameOf(hold, 1)].Cell, results[NameOf(hold, 2)].Cell]),
        ]);

    private static string NameOf(AnonVmaHold hold, int walkers) => $"{TextOf(hold)}, {walkers} {(walkers == 1 ? "walker" : "walkers")}";

    private static string TextOf(AnonVmaHold hold) => hold switch
    {
        AnonVmaHold.Spinlock => "its spinlock",
        AnonVmaHold.Nothing => "nothing",
        AnonVmaHold.Reference => "a reference taken under the spinlock",
        AnonVmaHold.BlindReference => "a reference taken without it",
        _ => "a sleeping lock",
    };
}
