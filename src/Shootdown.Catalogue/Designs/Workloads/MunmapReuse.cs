using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>The address is used again (B50, hazard 1).</summary>
public sealed class MunmapReuse : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "munmap-mmap";

    /// <inheritdoc/>
    public override string Title => "munmap, then mmap at the same address; another thread loads all the while";

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 2, pages: 1, framesPerPage: 2, mmapWriters: true);
        Promise promise = stage.Promise(0, 1, PromiseKind.Removed, "munmap()");
        stage.AddThread(0, "munmap", () => Remap(stage.Kernel, stage.Cpu(0), stage.Mm, promise));
        stage.AddThread(1, "user", () => Stage.LoadPages(stage.Kernel, stage.Cpu(1), stage.Mm, 1));
        return stage;
    }

    private static async Proc Remap(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await kernel.Munmap.DoMunmap(cpu, mm, promise);
        await kernel.Munmap.MmapRegion(cpu, mm, 0, 1);
        await Stage.LoadPages(kernel, cpu, mm, 1);
    }
}
