using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A gather changes two entries; a CPU switches to the process in between; another madvise finds the second entry empty and decides
/// whether something is owed.
/// </summary>
internal sealed class LateReader : DesignWorkload
{
    /// <summary>Not one of the listed workloads: too large for the table.</summary>
    internal LateReader()
    {
    }

    public override string Id => "late-reader";

    public override string Title => "madvise of two pages, a CPU that switches in, and a second madvise of the second page";

    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 3, pages: 2, framesPerPage: 2, mmapWriters: false, asids: 2);
        (KernelModel kernel, Mm mm) = stage;
        Mm other = kernel.NewMm("other", 2, mmapWriters: false);
        kernel.BuildRunning(stage.Cpu(0), other, 1);
        stage.Machine.AddTask(stage.Cpu(0), "user", () => Come(kernel, stage.Cpu(0), mm));
        Promise first = new(stage.Machine, stage.Cpu(1), mm.Space, 0, 2, PromiseKind.Removed, "madvise()");
        stage.AddKernelThread(1, "madvise", () => Discard(kernel, stage.Cpu(1), mm, first));
        Promise second = new(stage.Machine, stage.Cpu(2), mm.Space, 1, 1, PromiseKind.Removed, "madvise()");
        stage.AddKernelThread(2, "madvise", () => Discard(kernel, stage.Cpu(2), mm, second));
        return stage;
    }

    private static async Proc Come(KernelModel kernel, Cpu cpu, Mm mm)
    {
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await cpu.AccessTouch(1);
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
        => await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
}
