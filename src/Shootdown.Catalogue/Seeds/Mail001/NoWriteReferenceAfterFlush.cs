using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>S001-08: clear the entry, then look for references, against take a reference, then look at the entry.</summary>
public sealed class NoWriteReferenceAfterFlush : SeedItem
{
    /// <inheritdoc/>
    public override string Id => "S001-08";

    /// <inheritdoc/>
    public override string Lines => "53-56";

    /// <inheritdoc/>
    public override string Claim => "existing barriers ensure that GUP-fast gets no write reference once the entry is cleared and flushed";

    /// <inheritdoc/>
    public override SeedVerdict Expected => SeedVerdict.Holds;

    /// <inheritdoc/>
    public override string Experiment =>
        """
        Swap-out clears the entry and looks for pins; a lockless lookup for writing pins and looks at the entry. Under SC and x86-tso, with the
        flush of the core between clear and look, and with the flush deferred: then the locked exchange that clears the entry is the
        only fence, or a plain store is, which is none.
        """;

    /// <inheritdoc/>
    public override string Remark =>
        """
        The question whether a relaxed exchange on arm64 is enough needs the arm64 memory model, which does not exist here: the answer is for
        SC and x86-tso. Under x86-tso the plain store fails only for a clean page: a dirty one is marked dirty by a locked instruction in
        between, which happens to be a fence.
        """;

    /// <inheritdoc/>
    public override IReadOnlyList<SeedRun> Runs =>
    [
        SeedRun.OfScenario("core, sc", "anon-exclusive-vs-gup-fast", Variant.Fix, MemoryModelKind.Sc),
        SeedRun.OfScenario("core, x86-tso", "anon-exclusive-vs-gup-fast", Variant.Fix, MemoryModelKind.X86Tso),
        FenceRuns.Of("locked clear, sc", MemoryModelKind.Sc, locked: true, fence: false, dirty: false),
        FenceRuns.Of("locked clear, x86-tso", MemoryModelKind.X86Tso, locked: true, fence: false, dirty: false),
        FenceRuns.Of("plain store, sc", MemoryModelKind.Sc, locked: false, fence: false, dirty: false),
        FenceRuns.Of("plain store, x86-tso", MemoryModelKind.X86Tso, locked: false, fence: false, dirty: false),
        FenceRuns.Of("plain store, dirty page, x86-tso", MemoryModelKind.X86Tso, locked: false, fence: false, dirty: true),
    ];

    /// <inheritdoc/>
    public override SeedAnswer Judge(SeedResults results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var table = new SeedTable(
            "swap-out beside a lockless pin", ["kernel and model", "result"], [.. results.Runs.Select(run => new[] { run.Name, run.Cell })]);
        bool holds = results.Passed("core, sc") && results.Passed("core, x86-tso");
        bool plain = results.Violated("plain store, x86-tso") && results.Passed("plain store, sc");
        bool locked = results.Passed("locked clear, x86-tso");
        return new SeedAnswer(
            holds ? SeedVerdict.Holds : SeedVerdict.Refuted,
            $"{(holds ? "holds" : "does not hold")} under sc and x86-tso; a locked clear {(locked ? "is" : "is not")} fence enough; "
                + $"a plain store {(plain ? "fails under x86-tso" : "does not fail")}; arm64 not decided")
        { Tables = [table] };
    }
}

/// <summary>Runs of the protocol of S001-08 and S001-09 with the flush deferred.</summary>
internal static class FenceRuns
{
    internal static SeedRun Of(string name, MemoryModelKind model, bool locked, bool fence, bool dirty) => SeedRun.OfModel(
        name,
        $"share against pin: model={model} locked={locked} fence={fence} dirty={dirty}",
        () => GupModels.Model(
            AnonExclusiveVsGupFast.StageOf(GupModels.Setup(model), 2, 1, AnonExclusiveVsGupFast.Clearing(locked, fence), dirty), [new PPin()]));
}
