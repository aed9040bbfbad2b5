using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Two calls of madvise on one page (B02).</summary>
public sealed class TwoMadvise : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "two-madvise";

    /// <inheritdoc/>
    public override string Title => "two madvise(MADV_DONTNEED) on one page; one of the callers loads from it";

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 2, pages: 1, framesPerPage: 3, mmapWriters: false);
        for (int index = 0; index < 2; index++)
        {
            Cpu cpu = stage.Cpu(index);
            Promise promise = stage.Promise(index, 1, PromiseKind.Removed, "madvise()");
            stage.AddThread(index, "madvise", () => Discard(stage.Kernel, cpu, stage.Mm, promise));
        }

        return stage;
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        if (cpu.Index == 1)
        {
            await Stage.LoadPages(kernel, cpu, mm, 1);
        }
    }
}
