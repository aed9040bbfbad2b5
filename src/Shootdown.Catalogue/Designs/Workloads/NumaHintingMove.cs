using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Hints, and the migration behind them (B05).</summary>
public sealed class NumaHintingMove : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "numa-hinting";

    /// <inheritdoc/>
    public override string Title => "NUMA hinting of a page that is then moved; another thread stores";

    /// <inheritdoc/>
    protected override IReadOnlyList<Property> Properties => [new PLife(), new PCopy()];

    /// <inheritdoc/>
    protected override IReadOnlyList<string> MustExercise => ["P-life", "P-copy"];

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        var build = new KernelOptions { AnonFolios = true, MisplacedPages = true };
        Stage stage = NewStage(design, cpus: 3, pages: 1, framesPerPage: 4, mmapWriters: false, build: build);
        (KernelModel kernel, Mm mm) = stage;
        stage.AddThread(0, "task_numa_work", () => kernel.NumaHinting.ChangeProtNuma(stage.Cpu(0), mm, 0, 1));
        stage.AddThread(1, "user", () => Stage.LoadPages(kernel, stage.Cpu(1), mm, 1));
        stage.AddThread(2, "writer", () => StoreIfItCan(stage.Cpu(2)));
        return stage;
    }

    /// <summary>A store through whatever the TLB holds; if it faults, that is all.</summary>
    private static async Proc StoreIfItCan(Cpu cpu) => await cpu.AccessStore(0, 1);
}
