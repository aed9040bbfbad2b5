using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A page with an old hint is moved by a fault, while a flush of another page is owed: is the move flushed for nothing?</summary>
/// <param name="hinted">The page with the hint.</param>
internal sealed class NumaHintElsewhere(int hinted) : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => $"numa-hint-at-page-{hinted}";

    /// <inheritdoc/>
    public override string Title => "madvise of a page; a fault on an old NUMA hint elsewhere, which moves that page";

    /// <inheritdoc/>
    protected override IReadOnlyList<Property> Properties => [new PRet(), new PLife(), new PCopy()];

    /// <inheritdoc/>
    protected override IReadOnlyList<string> MustExercise => ["P-ret", "P-life", "P-copy"];

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        var build = new KernelOptions { AnonFolios = true, MisplacedPages = true };
        Stage stage = NewStage(design, cpus: 2, pages: 4, framesPerPage: 2, mmapWriters: false, build: build);
        (KernelModel kernel, Mm mm) = stage;
        OtherArea.BuildHint(stage, hinted);
        Promise promise = stage.Promise(0, 1, PromiseKind.Removed, "madvise()");
        stage.AddThread(0, "madvise", () => Discard(kernel, stage.Cpu(0), mm, promise));
        stage.AddThread(1, "user", () => Load(kernel, stage.Cpu(1), mm, hinted));
        return stage;
    }

    private static async Proc Discard(KernelModel kernel, Cpu cpu, Mm mm, Promise promise)
    {
        await kernel.Madvise.MadviseDontneed(cpu, mm, promise);
        await cpu.AccessTouch(0);
    }

    private static async Proc Load(KernelModel kernel, Cpu cpu, Mm mm, int hinted) => await kernel.UserAccess.UserLoad(cpu, mm, hinted);
}
