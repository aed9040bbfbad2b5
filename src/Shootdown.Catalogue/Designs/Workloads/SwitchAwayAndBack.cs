using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>PCIDs keep translations over switches (B16).</summary>
public sealed class SwitchAwayAndBack : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "switch-away";

    /// <inheritdoc/>
    public override string Title => "mprotect of two pages; another CPU switches to the process, stores, switches away and back, stores";

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 2, pages: 2, framesPerPage: 1, mmapWriters: true, asids: 2);
        (KernelModel kernel, Mm mm) = stage;
        Mm other = kernel.NewMm("other", 2, mmapWriters: false);
        kernel.BuildRunning(stage.Cpu(0), other, 1);
        stage.Machine.AddTask(stage.Cpu(0), "user", () => ComeAndGo(kernel, stage.Cpu(0), mm, other));
        Promise promise = stage.Promise(1, 2, PromiseKind.WriteProtected, "mprotect()");
        stage.AddThread(1, "mprotect", () => kernel.Mprotect.MprotectReadOnly(stage.Cpu(1), mm, promise));
        return stage;
    }

    private static async Proc ComeAndGo(KernelModel kernel, Cpu cpu, Mm mm, Mm other)
    {
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await kernel.UserAccess.UserStore(cpu, mm, 1, 1);
        await kernel.SwitchMm.SwitchTo(cpu, other);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await kernel.UserAccess.UserStore(cpu, mm, 1, 1);
    }
}
