using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A flush is owed in one area, and an entry of another one is cleared: is that one flushed for nothing?</summary>
public sealed class OtherArea : DesignWorkload
{
    /// <summary>A page of another area, for designs that tell areas apart (<see cref="DeferralGrain.Vma"/>).</summary>
    internal const int InOtherArea = 2;

    /// <summary>A page of the same area, in another table.</summary>
    internal const int InOtherTable = 1;

    private readonly int _hinted;

    /// <summary>In another area.</summary>
    public OtherArea()
        : this(InOtherArea)
    {
    }

    /// <summary>With the hint at a page of one's choice.</summary>
    internal OtherArea(int hinted) => _hinted = hinted;

    /// <inheritdoc/>
    public override string Id => _hinted == InOtherArea ? "other-area" : "other-table";

    /// <inheritdoc/>
    public override string Title => "madvise in one area; ptep_clear_flush of an old NUMA hint in another "
        + (_hinted == InOtherArea ? "one, then a load from the first" : "table of it, then a load");

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 2, pages: 4, framesPerPage: 2, mmapWriters: false);
        (KernelModel kernel, Mm mm) = stage;
        BuildHint(stage, _hinted);
        Promise promise = stage.Promise(0, 1, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "madvise", () => Discard(kernel, stage.Cpu(0), mm, promise));
        stage.AddThread(1, "migrate", () => ClearHint(kernel, stage.Cpu(1), mm, _hinted));
        return stage;
    }

    /// <summary>The entry of a page is a NUMA hint at the start, and was flushed long ago.</summary>
    internal static void BuildHint(Stage stage, int page)
    {
        var table = new PageTable(stage.Mm.Space.RootTable, 0, 0);
        Pte hint = Pte.Leaf(page, false).With(Pte.ProtNoneBit).Without(Pte.PresentBit);
        stage.Machine.SetInitial(stage.Machine.Paging.EntryAddressOf(table, page), hint.Bits);
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    /// <summary>What try_to_migrate_one does with an entry, and nothing else.</summary>
    private static async Proc ClearHint(KernelModel kernel, Cpu cpu, Mm mm, int hinted)
    {
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, hinted);
        await kernel.PteOps.PtepClearFlush(cpu, mm, table, hinted);
        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        await Stage.LoadPages(kernel, cpu, mm, 1);
    }
}
