using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Page tables are freed while a CPU is lazy (B19).</summary>
public sealed class LazyTables : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "lazy-tables";

    /// <inheritdoc/>
    public override string Title => "munmap frees a page table while another CPU is lazy; its walker runs ahead";

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        ArgumentNullException.ThrowIfNull(design);
        var options = new MachineOptions
        {
            Cpus = 2,
            EntriesPerTable = 1,
            Levels = 2,
            Tables = 3,
            Frames = 2,
            Asids = 1 + design.ExtraAsids,
        };
        var kernel = new KernelModel(new MachineModel(options), design.Configure(new KernelOptions()), design.Apply(new KernelParts()));
        Mm mm = kernel.NewMm("mm", 1, true);
        kernel.BuildMapping(mm, 0, Pte.Leaf(0, true, true));
        var stage = new Stage(kernel, mm);
        stage.AddThread(0, "kthread", () => BeLazy(kernel, stage.Cpu(0), mm));
        stage.AddPageWalker(0);
        Promise promise = stage.Promise(1, 1, PromiseKind.Removed, "munmap()");
        stage.AddThread(1, "munmap", () => kernel.Munmap.DoMunmap(stage.Cpu(1), mm, promise));
        return stage;
    }

    private static async Proc BeLazy(KernelModel kernel, Cpu cpu, Mm mm)
    {
        await kernel.LazyTlb.EnterLazyTlb(cpu);
        await kernel.SwitchMm.SwitchTo(cpu, mm);
        await kernel.UserAccess.UserLoad(cpu, mm, 0);
    }
}
