using Shootdown.Kernel;

namespace Shootdown.Catalogue;

/// <summary>S002-05.</summary>
public sealed class OneGenerationIsNotEnough : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S002-05";

    /// <inheritdoc/>
    public override string Lines => "55-61";

    /// <inheritdoc/>
    public override string Claim => "a gather must take a generation every time: a CPU that switches in between is lost";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Catalogue B16 with and without its correction; then with one PCID, where every switch flushes, to find out which features of the
        machine are needed; and with a flush at the end that takes a generation of its own, and a reader that trusts the noted one.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        Beforehand one would expect that the hole needs retained PCIDs. It does not: a CPU that switches to the process between the two
        changes and stays is interrupted by the last flush, finds that it has the requested generation already, and flushes nothing
        (./shootdown check gen-defer-without-increment --variant bug --bound asids=1 shows the run).
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("2 PCIDs", "gen-defer-without-increment", Variant.Bug),
        SeedRun.OfScenario("2 PCIDs, every change", "gen-defer-without-increment", Variant.Fix),
        SeedRun.OfScenario("1 PCID", "gen-defer-without-increment", Variant.Bug, ("asids", 1)),
        SeedRun.OfScenario("1 PCID, every change", "gen-defer-without-increment", Variant.Fix, ("asids", 1)),
        SeedRun.OfScenario("reader", "gen-defer-without-increment", Variant.Bug, ("cpus", 3), ("design", 1)),
        SeedRun.OfScenario("reader, every change", "gen-defer-without-increment", Variant.Fix, ("cpus", 3), ("design", 1)),
        SeedRun.OfModel("2 PCIDs, last flush takes one", "S002-05 new", () => new SwitchAwayAndBack().BuildForSafety(
            new EnumeratedDesign(IncrementRule.IfChanged, aimed: false, comparesGeneration: false))),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        bool fixedEverywhere = results.Runs.Where(run => run.Name.EndsWith("every change", StringComparison.Ordinal))
            .All(run => results.Passed(run.Name));
        bool found = results.Violated("2 PCIDs");
        string pcid = results.Violated("1 PCID") ? "found with 1 PCID too" : "needs retained PCIDs";
        string last = results.Passed("2 PCIDs, last flush takes one") ? "not if the last flush takes one" : "also if the last flush takes one";
        string reader = results.Violated("reader") ? ", save for a reader that trusts the note" : string.Empty;
        return found && fixedEverywhere
            ? new SeedAnswer(SeedVerdict.Holds, $"P-ret is violated, {pcid}; {last}{reader}; clean with a generation every time")
            : new SeedAnswer(SeedVerdict.Refuted, "not found, or the correction is not enough");
    }
}
