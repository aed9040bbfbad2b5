namespace Shootdown.Catalogue;

/// <summary>S004-03: a device maps a huge page with small entries, and all of them must go.</summary>
public sealed class SmallEntriesOfHugePage : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S004-03";

    /// <inheritdoc/>
    public override string Lines => "15-20";

    /// <inheritdoc/>
    public override string Claim => "a huge page needs start/end: a device like the GRU may map it with small entries, and all must go";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        try_to_unmap() of a huge page, on a device that has every small page of it mapped and goes on faulting. The device hears of it by
        invalidate_page() with the huge page's address, by invalidate_page() for each small page, by start and end, or by one
        invalidate_hugepage(). A huge page has 2 small pages here, then 3.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. from pages in new[] { 2, 3 }
           from notify in Enum.GetValues<HugeNotify>()
           select SeedRun.OfModel(
               $"{notify}, {pages} pages", $"huge page, {notify}, {pages} small pages", () => HugeUnmapModel.Build(notify, false, false, pages)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool oneLeaves = new[] { 2, 3 }.All(pages => results.Violated($"{HugeNotify.FirstPage}, {pages} pages"));
        bool rangeIsSafe = new[] { 2, 3 }.All(pages => results.Passed($"{HugeNotify.StartEnd}, {pages} pages"));
        bool othersAreSafe = new[] { 2, 3 }.All(pages
            => results.Passed($"{HugeNotify.EachPage}, {pages} pages") && results.Passed($"{HugeNotify.Hugepage}, {pages} pages"));
        return (oneLeaves, rangeIsSafe, othersAreSafe) switch
        {
            (true, true, true) => new SeedAnswer(
                SeedVerdict.Holds,
                "one invalidate_page() leaves the other small entries (P-life); start/end, one call for each, or invalidate_hugepage() are clean"),
            (true, true, false) => new SeedAnswer(
                SeedVerdict.Holds, "one invalidate_page() leaves the other small entries (P-life); only start/end is clean"),
            (true, false, _) => new SeedAnswer(SeedVerdict.Depends, "one invalidate_page() is not enough, but start/end is not clean either"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "one invalidate_page() with the huge page's address is enough"),
        };
    }
}
