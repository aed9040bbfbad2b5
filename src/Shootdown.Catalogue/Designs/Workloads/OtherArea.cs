using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A flush is owed in one area, and an entry of another one is cleared: is that one flushed for nothing?</summary>
public sealed class OtherArea : DesignWorkload
{
    private const int HintedPage = 2;

    /// <inheritdoc/>
    public override string Id => "other-area";

    /// <inheritdoc/>
    public override string Title => "madvise in one area; ptep_clear_flush of an old NUMA hint in another one, then a load from the first";

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 2, pages: 4, framesPerPage: 2, mmapWriters: false);
        (KernelModel kernel, Mm mm) = stage;
        var table = new PageTable(mm.Space.RootTable, 0, 0);
        Pte hint = Pte.Leaf(HintedPage, false).With(Pte.ProtNoneBit).Without(Pte.PresentBit);
        stage.Machine.SetInitial(stage.Machine.Paging.EntryAddressOf(table, HintedPage), hint.Bits);
        Promise promise = stage.Promise(0, 1, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "madvise", () => Discard(kernel, stage.Cpu(0), mm, promise));
        stage.AddThread(1, "migrate", () => ClearHint(kernel, stage.Cpu(1), mm));
        return stage;
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    /// <summary>What try_to_migrate_one does with an entry, and nothing else.</summary>
    private static async Proc ClearHint(KernelModel kernel, Cpu cpu, Mm mm)
    {
        PageTable table = await kernel.PageWalk.PteOffsetMapLock(cpu, mm, HintedPage);
        await kernel.PteOps.PtepClearFlush(cpu, mm, table, HintedPage);
        await kernel.PageWalk.PteUnmapUnlock(cpu, table);
        await Stage.LoadPages(kernel, cpu, mm, 1);
    }
}
