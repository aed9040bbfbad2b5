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
        A gather clears an entry, notes a generation in its area and flushes later; another CPU splits the area or merges it with its
        neighbour; a third finds the entry empty and looks whether the area that it is in now is owed a flush. The page goes over to another
        area (a split, or its area is merged away), or its area takes the neighbour in. The change takes mmap_lock for writing or not. The
        note of the other area is left behind, copied over, or the later of the two is kept. At last the area grows where nothing was
        (vma_expand, or a stack under the lock for reading): there is no other note.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. from moves in new[] { true, false }
           from locked in new[] { true, false }
           from carry in Enum.GetValues<NoteCarry>()
           select SeedRun.OfModel(Name(moves, locked, carry), $"S002-09 {Name(moves, locked, carry)}", () => SplitModel.Build(moves, locked, carry)),
        .. from locked in new[] { true, false }
           select SeedRun.OfModel(Grows(locked), $"S002-09 {Grows(locked)}", () => SplitModel.Build(moves: false, locked, carry: null)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        NoteCarry[] carries = Enum.GetValues<NoteCarry>();
        bool lockSuffices = carries.All(carry => results.Passed(Name(true, true, carry)) && results.Passed(Name(false, true, carry)));
        NoteCarry[] enough = [.. carries.Where(carry => results.Passed(Name(true, false, carry)) && results.Passed(Name(false, false, carry)))];
        var table = new SeedTable(
            "the page's area is split or merged while a flush is owed",
            ["the note of the other area", "page moves, mmap_lock", "page moves, no lock", "page stays, mmap_lock", "page stays, no lock"],
            [
                .. carries.Select(carry => new[]
                {
                    TextOf(carry), results[Name(true, true, carry)].Cell, results[Name(true, false, carry)].Cell,
                    results[Name(false, true, carry)].Cell, results[Name(false, false, carry)].Cell,
                }),
            ]);
        bool growsSafely = results.Passed(Grows(true)) && results.Passed(Grows(false));
        var growth = new SeedTable(
            "the page's area grows while a flush is owed", ["mmap_lock", "no lock"], [[results[Grows(true)].Cell, results[Grows(false)].Cell]]);
        SeedAnswer answer = (lockSuffices && growsSafely, enough.Length == carries.Length) switch
        {
            (true, false) => new SeedAnswer(
                SeedVerdict.Depends, "mmap_lock for writing suffices, carried or not: no gather is under way then; without it "
                + (enough.Length > 0 ? $"it takes that {string.Join(" or ", enough.Select(TextOf))}" : "no way to carry the note is enough")
                + "; growth keeps the note"),
            (true, true) => new SeedAnswer(SeedVerdict.Holds, "no run loses the note"),
            _ => new SeedAnswer(SeedVerdict.Refuted, growsSafely ? "mmap_lock does not suffice" : "an area that grows loses its note"),
        };
        return answer with { Tables = [table, growth] };
    }

    private static string Name(bool moves, bool locked, NoteCarry carry)
        => $"page {(moves ? "moves" : "stays")}, {(locked ? "mmap_lock" : "no mmap_lock")}, {TextOf(carry)}";

    private static string Grows(bool locked) => $"area grows, {(locked ? "mmap_lock" : "no mmap_lock")}";

    private static string TextOf(NoteCarry carry) => carry switch
    {
        NoteCarry.None => "left behind",
        NoteCarry.Copied => "copied over",
        _ => "the later is kept",
    };
}
