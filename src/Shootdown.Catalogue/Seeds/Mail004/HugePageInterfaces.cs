using System.Globalization;
using Shootdown.Check;

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
        of 2 and of 3 small ones are counted over all runs; they grow by the same number for each small page, which gives those for 512.
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
        .. from notify in Designs
           from pages in Sizes
           select SeedRun.OfModel(
               CallsName(notify, pages),
               $"huge page interface, callbacks, {notify} {pages}",
               () => HugeUnmapModel.Build(notify, false, false, pages).ForCosts(HugeUnmapModel.Callbacks)),
    ];

    private static readonly int[] Sizes = [2, 3];

    private static string CallsName(HugeNotify notify, int pages) => $"callbacks of {TextOf(notify)}, {pages} small pages";

    /// <summary>Callbacks in every run; -1 if runs differ.</summary>
    private static long Calls(SeedResults results, HugeNotify notify, int pages)
    {
        CostRange[] calls = [.. results[CallsName(notify, pages)].Report!.Costs!.Run!.Calls.Values];
        return calls.All(range => range.Min == range.Max) ? calls.Sum(range => range.Min) : -1;
    }

    /// <summary>Callbacks for a huge page of 512 small ones, from those for 2 and 3; a question mark if runs differ.</summary>
    private static string CallsFor512(SeedResults results, HugeNotify notify)
    {
        long two = Calls(results, notify, Sizes[0]);
        long three = Calls(results, notify, Sizes[1]);
        return two < 0 || three < 0 ? "?" : (two + ((three - two) * (SmallPages - Sizes[0]))).ToString(CultureInfo.InvariantCulture);
    }

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
        [
            "interface", "spinlock, driver spins", "spinlock, driver sleeps",
            "sleeping lock, driver spins", "sleeping lock, driver sleeps", "calls for 2", "for 3", "for 512",
        ],
        [
            .. Designs.Select(notify => (IReadOnlyList<string>)
            [
                TextOf(notify),
                results[NameOf(notify, true, false)].Cell, results[NameOf(notify, true, true)].Cell,
                results[NameOf(notify, false, false)].Cell, results[NameOf(notify, false, true)].Cell,
                $"{Calls(results, notify, Sizes[0])}", $"{Calls(results, notify, Sizes[1])}", CallsFor512(results, notify),
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
