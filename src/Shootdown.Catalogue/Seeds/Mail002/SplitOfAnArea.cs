namespace Shootdown.Catalogue;

/// <summary>S002-09.</summary>
public sealed class SplitOfAnArea : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-09";

    /// <inheritdoc/>
    public override string Lines => "12-20";

    /// <inheritdoc/>
    public override string Claim => "the noted generation belongs to the area: a split or merge must not lose it";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        A gather clears an entry, notes a generation in its area and flushes later; another CPU splits the area; a third finds the entry
        empty and looks whether the area that it is in now is owed a flush. The split takes mmap_lock for writing or not, and carries the note
        into the new area or not.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Ways.Select(way => SeedRun.OfModel(Name(way), $"S002-09 {Name(way)}", () => SplitModel.Build(way.Locked, way.Carries))),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool lockSuffices = results.Passed(Name((true, false))) && results.Passed(Name((true, true)));
        bool unlockedFails = results.Violated(Name((false, false)));
        bool carrySuffices = results.Passed(Name((false, true)));
        return (lockSuffices, unlockedFails) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Depends, "mmap_lock for writing suffices, carried or not: no gather is under way then; without it "
                + (carrySuffices ? "the note must be carried" : "a carried note is not enough")),
            (true, false) => new SeedAnswer(SeedVerdict.Holds, "no run loses the note"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "mmap_lock does not suffice"),
        };
    }

    private static (bool Locked, bool Carries)[] Ways => [(true, true), (true, false), (false, true), (false, false)];

    private static string Name((bool Locked, bool Carries) way)
        => $"{(way.Locked ? "mmap_lock" : "no mmap_lock")}, {(way.Carries ? "carried" : "not carried")}";
}
