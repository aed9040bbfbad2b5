using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-09: which fences the exclusive mark needs.</summary>
public sealed class FencesOfExclusive : SeedItem
{
    private static readonly (bool Locked, bool Fence)[] Sets = [(true, true), (true, false), (false, true), (false, false)];
    private static readonly MemoryModelKind[] Models = [MemoryModelKind.Sc, MemoryModelKind.X86Tso];

    /// <inheritdoc/>
    public override string Id => "S001-09";

    /// <inheritdoc/>
    public override string Lines => "58-60";

    /// <inheritdoc/>
    public override string Claim => "clearing PageAnonExclusive may need explicit barriers against a GUP-fast that RCU alone keeps out";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Depends;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        The same protocol with the flush deferred, so that it is no fence, and a clean page. The two things that can order the clearing of the
        entry before the look for pins are taken away one by one: the locked exchange, and smp_mb() behind it.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        On arm64 neither the exchange nor the pin is a full fence, and smp_mb() is needed (088b8aa537c2). That is the sighting of catalogue
        entry B38; it needs the arm64 memory model and is not decided here.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
        [.. from set in Sets from model in Models select FenceRuns.Of(Name(set, model), model, set.Locked, set.Fence, dirty: false)];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var table = new SeedTable(
            "swap-out beside a lockless pin",
            ["entry cleared by", "smp_mb() behind", "sc", "x86-tso"],
            [
                .. Sets.Select(set => new[]
                {
                    set.Locked ? "locked exchange" : "plain store", set.Fence ? "yes" : "no",
                    results[Name(set, Models[0])].Cell, results[Name(set, Models[1])].Cell,
                }),
            ]);
        bool exchange = results.Passed(Name((true, false), MemoryModelKind.X86Tso));
        bool fence = results.Passed(Name((false, true), MemoryModelKind.X86Tso));
        bool neither = results.Violated(Name((false, false), MemoryModelKind.X86Tso));
        return new SeedAnswer(
            exchange && neither ? SeedVerdict.Depends : neither ? SeedVerdict.Holds : SeedVerdict.Refuted,
            $"x86-tso: the locked exchange alone {(exchange ? "is enough" : "is not enough")}, smp_mb() alone {(fence ? "is" : "is not")}, "
                + $"neither {(neither ? "fails" : "is safe")}; arm64 not decided")
        { Tables = [table] };
    }

    private static string Name((bool Locked, bool Fence) set, MemoryModelKind model)
        => $"{(set.Locked ? "exchange" : "store")}{(set.Fence ? ", fence" : string.Empty)}, {(model == MemoryModelKind.Sc ? "sc" : "x86-tso")}";
}
