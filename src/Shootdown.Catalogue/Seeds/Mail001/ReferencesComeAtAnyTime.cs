using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-07: whoever compares reference counts must live with GUP-fast.</summary>
public sealed class ReferencesComeAtAnyTime : SeedItem
{
    private static readonly string[] Comparers = ["collapse-huge", "ksm-merge", "migrate", "migrate-device", "reclaim", "fork"];

    private static readonly PairSetup Broadcast = new() { Name = "broadcast", Parts = new KernelParts { TlbFlush = GupModels.Broadcast } };

    private static readonly PairSetup Once = new()
    {
        Name = "broadcast, one look",
        Parts = new KernelParts { TlbFlush = GupModels.Broadcast, Gup = kernel => new OneLook(kernel) },
    };

    /// <inheritdoc/>
    public override string Id => "S001-07";

    /// <inheritdoc/>
    public override string Lines => "48-51";

    /// <inheritdoc/>
    public override string Claim => "GUP-fast may raise a count at any moment; it reads the PTE again and drops the reference if that changed";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        A lockless pin is crossed with everything that compares reference counts, on the same page, beside a CPU that stores. The flush is
        a broadcast, which waits for nobody. Then the same with a GUP-fast that does not look at the entry again. Counts that are too
        high for a moment make the other side give up; that is no violation.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
        [.. Comparers.SelectMany(id => new[] { Run("two looks", id, Broadcast), Run("one look", id, Once) })];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var table = new SeedTable(
            "a lockless pin beside",
            ["operation", "entry read again", "entry read once"],
            [.. Comparers.Select(id => new[] { id, results[$"two looks, {id}"].Cell, results[$"one look, {id}"].Cell })]);
        bool safe = Comparers.All(id => results.Passed($"two looks, {id}"));
        string[] wrong = [.. Comparers.Where(id => results.Violated($"one look, {id}"))];
        return new SeedAnswer(
            safe ? SeedVerdict.Holds : SeedVerdict.Refuted,
            safe
                ? $"no comparison succeeds wrongly; without the second look {(wrong.Length == 0 ? "neither" : $"{string.Join(", ", wrong)} do")}"
                : "some comparison succeeds although the page is pinned")
        { Tables = [table] };
    }

    private static SeedRun Run(string name, string id, PairSetup setup) => SeedRun.OfPair(
        $"{name}, {id}",
        new PairCell([Operation("gup-fast"), Operation(id)], RangeRelation.Same, PageKind.Anonymous, Bystander.Busy),
        setup);

    private static MmOperation Operation(string id) => OperationList.All.First(operation => operation.Id == id);

    private sealed class OneLook(KernelModel kernel) : Gup(kernel)
    {
        protected override async Proc<bool> PteChanged(GupCall call, PageTable table, Pte pte) => false;
    }
}
