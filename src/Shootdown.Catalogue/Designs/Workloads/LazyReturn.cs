using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A flush passes a lazy CPU by, which comes back to the process afterwards.</summary>
public sealed class LazyReturn : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "lazy-return";

    /// <inheritdoc/>
    public override string Title => "madvise of a page; another CPU goes lazy, comes back to the process, and loads from the page";

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 2, pages: 1, framesPerPage: 2, mmapWriters: false);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddThread(0, "kthread", () => BeLazy(kernel, stage.Cpu(0), mm));
        Promise promise = stage.Promise(1, 1, PromiseKind.Removed, "madvise()");
        stage.AddThread(1, "madvise", () => Discard(kernel, stage.Cpu(1), mm, promise));
        return stage;
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);

    private static async Proc BeLazy(KernelModel kernel, Cpu cpu, Mm mm)
    {
        await kernel.LazyTlb.EnterLazyTlb(cpu);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await kernel.UserAccess.UserLoad(cpu, mm, 0);
    }
}
