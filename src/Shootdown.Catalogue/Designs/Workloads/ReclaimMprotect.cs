using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Batched reclaim beside mprotect (B01).</summary>
public sealed class ReclaimMprotect : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "reclaim-mprotect";

    /// <inheritdoc/>
    public override string Title => "reclaim of a page beside mprotect(PROT_READ) of it; a third thread stores";

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 3, pages: 1, framesPerPage: 2, mmapWriters: true);
        KernelModel kernel = stage.Kernel;
        stage.AddKernelThread(0, "reclaim", () => kernel.Reclaim.ShrinkFolioList(stage.Cpu(0), Stage.MappedFrames(1), true));
        Promise promise = stage.Promise(1, 1, PromiseKind.WriteProtected, "mprotect()");
        stage.AddThread(1, "mprotect", () => kernel.Mprotect.MprotectReadOnly(stage.Cpu(1), stage.Mm, promise));
        stage.AddThread(2, "user", () => Stage.StorePages(kernel, stage.Cpu(2), stage.Mm, 1));
        return stage;
    }
}
