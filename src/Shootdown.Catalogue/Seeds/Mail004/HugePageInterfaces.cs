using System.Globalization;

namespace Shootdown.Catalogue;

/// <summary>S004-04: start/end in rmap code needs sleeping locks there; a method for huge pages would not.</summary>
public sealed class HugePageInterfaces : SeedItem
{
    /// <summary>Small pages of 4 KiB in a huge page of 2 MiB.</summary>
    private const int SmallPages = 512;

    private static readonly HugeNotify[] Designs = [HugeNotify.EachPage, HugeNotify.StartEnd, HugeNotify.Hugepage];

    /// <inheritdoc/>
    public override string Id => "S004-04";

    /// <inheritdoc/>
    public override string Lines => "20-23";

    /// <inheritdoc/>
    public override string Claim => "start/end in rmap code runs in atomic context and needs the full series; or a method invalidate_hugepage";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The unmapping of S004-03 with three interfaces that tell the device of all small pages, with the anon_vma lock as a spinlock (2010) and
        as a sleeping lock (the full series), and with a driver whose callbacks spin (GRU) or sleep (XPMEM). Callbacks for a huge page
        of 512 small ones are counted.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        .. from notify in Designs
           from spins in new[] { true, false }
           from sleeps in new[] { false, true }
           select SeedRun.OfModel(
               NameOf(notify, spins, sleeps),
               $"huge page interface {NameOf(notify, spins, sleeps)}",
               () => HugeUnmapModel.Build(notify, spins, sleeps)),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool needsSeries = results[NameOf(HugeNotify.StartEnd, true, true)].Property == "P-atomic"
            && results.Passed(NameOf(HugeNotify.StartEnd, false, true));
        bool avoidsSeries = results.Passed(NameOf(HugeNotify.Hugepage, true, false));
        bool mustNotSleep = !results.Passed(NameOf(HugeNotify.Hugepage, false, true));
        SeedAnswer answer = (needsSeries, avoidsSeries) switch
        {
            (true, true) => new SeedAnswer(
                SeedVerdict.Holds,
                "start/end with a sleeping driver violates P-atomic under the spinlock and is clean with sleeping locks; "
                + (mustNotSleep ? "invalidate_hugepage is clean if it never sleeps" : "invalidate_hugepage is always clean")),
            (true, false) => new SeedAnswer(SeedVerdict.Depends, "start/end needs sleeping locks; invalidate_hugepage is not clean either"),
            _ => new SeedAnswer(SeedVerdict.Refuted, "start/end does not need sleeping locks, or is not clean with them"),
        };
        return answer with { Tables = [TableOf(results)] };
    }

    private static SeedTable TableOf(SeedResults results) => new(
        "A huge page is unmapped",
        ["interface", "spinlock, driver spins", "spinlock, driver sleeps", "sleeping lock, driver spins", "sleeping lock, driver sleeps", "calls"],
        [
            .. Designs.Select(notify => (IReadOnlyList<string>)
            [
                TextOf(notify),
                results[NameOf(notify, true, false)].Cell, results[NameOf(notify, true, true)].Cell,
                results[NameOf(notify, false, false)].Cell, results[NameOf(notify, false, true)].Cell,
                HugeUnmapModel.CallsPerHugePage(notify, SmallPages).ToString(CultureInfo.InvariantCulture),
            ]),
        ]);

    private static string NameOf(HugeNotify notify, bool spins, bool sleeps)
        => $"{TextOf(notify)}, {(spins ? "spinlock" : "sleeping lock")}, driver {(sleeps ? "sleeps" : "spins")}";

    private static string TextOf(HugeNotify notify) => notify switch
    {
        HugeNotify.EachPage => "invalidate_page for each",
        HugeNotify.StartEnd => "start/end",
        HugeNotify.Hugepage => "invalidate_hugepage",
        _ => "invalidate_page once",
    };
}
