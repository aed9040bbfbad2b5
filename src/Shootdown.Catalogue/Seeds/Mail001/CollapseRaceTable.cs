using Shootdown.Check;

namespace Shootdown.Catalogue;

/// <summary>S001-03: the race of the mail, and what covers it.</summary>
public sealed class CollapseRaceTable : SeedItem
{
    private static readonly string[] Order =
    [
        "pmdp_get_lockless", "pmdp_huge_get_and_clear", "[ hypercall", "folio_ref_count", "try_grab_folio_fast", "returns frame", "set_pmd_at",
    ];

    private static readonly (bool Ipi, bool Recheck, bool Sync)[] Covers =
    [
        (false, false, false), (false, true, false), (false, false, true), (false, true, true),
        (true, false, false), (true, true, false), (true, false, true), (true, true, true),
    ];

    /// <inheritdoc/>
    public override string Id => "S001-03";

    /// <inheritdoc/>
    public override string Lines => "21-37";

    /// <inheritdoc/>
    public override string Claim => "GUP-fast can pin, check its PTE and return a page that collapse has isolated and replaces";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        collapse_huge_page() beside one lockless pin, for each combination of three covers: the flush is an IPI, GUP-fast looks at the PMD
        again, an empty IPI follows the flush. Once the collapse alone (the obsolete page), once with the huge page thrown away behind
        it, which frees the table that was put aside (re-use of the table). The order of the mail's table is looked for in the
        counterexample.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. Covers.SelectMany(cover => new[] { false, true }.Select(discards => SeedRun.OfModel(
            Name(cover, discards),
            $"collapse race: {Name(cover, discards)}",
            () => GupModels.Collapse(
                GupFastVsCollapse.PartsWith(cover.Recheck, cover.Sync, cover.Ipi),
                GupModels.Pins,
                discards ? [new PLife()] : [new PPin()],
                discards)))),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var table = new SeedTable(
            "lockless pin beside collapse",
            ["flush", "PMD again", "IPI behind", "obsolete page", "table re-used"],
            [
                .. Covers.Select(cover => new[]
                {
                    cover.Ipi ? "IPI" : "broadcast", cover.Recheck ? "yes" : "no", cover.Sync ? "yes" : "no",
                    results[Name(cover, false)].Cell, results[Name(cover, true)].Cell,
                }),
            ]);
        bool found = results[Name(Covers[0], false)].Property == "P-pin";
        bool inOrder = IsInOrder(results[Name(Covers[0], false)].Report?.Counterexample);
        bool recheck = results.Passed(Name(Covers[1], false));
        bool recheckAlone = results.Passed(Name(Covers[1], true));
        bool sync = results.Passed(Name(Covers[2], false)) && results.Passed(Name(Covers[2], true));
        bool ipi = results.Passed(Name(Covers[4], false)) && results.Passed(Name(Covers[4], true));
        string text = !found ? "no pin of an obsolete page was found"
            : $"found{(inOrder ? " in the mail's order" : ", in another order")}; PMD re-check covers {(recheck ? "it" : "nothing")}"
                + $"{(recheckAlone ? " and table re-use" : ", not table re-use")}; IPI behind {(sync ? "covers both" : "does not cover both")}; "
                + $"flush by IPI {(ipi ? "covers both" : "does not")}";
        return new SeedAnswer(found && recheck && sync && ipi ? SeedVerdict.Holds : found ? SeedVerdict.Depends : SeedVerdict.Refuted, text)
        {
            Tables = [table],
        };
    }

    private static string Name((bool Ipi, bool Recheck, bool Sync) cover, bool discards)
        => $"{(cover.Ipi ? "ipi" : "broadcast")}{(cover.Recheck ? ", re-check" : string.Empty)}"
            + $"{(cover.Sync ? ", sync" : string.Empty)}{(discards ? ", table freed" : string.Empty)}";

    /// <summary>True if the steps of the mail's table follow each other in the run; the last two may change places.</summary>
    private static bool IsInOrder(Counterexample? run)
    {
        if (run is null)
        {
            return false;
        }

        int[] places = [.. Order.Select(text => run.Steps.ToList().FindIndex(step => step.Text.Contains(text, StringComparison.Ordinal)))];
        return places.All(place => place >= 0) && places.SkipLast(2).Zip(places.SkipLast(2).Skip(1)).All(pair => pair.First < pair.Second)
            && places[^2] > places[^3] && places[^1] > places[^3];
    }
}
