using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Reclaim of read-only memory, and the frame is handed out again (B50).</summary>
public sealed class ReclaimReuse : DesignWorkload
{
    /// <inheritdoc/>
    public override string Id => "reclaim-reuse";

    /// <inheritdoc/>
    public override string Title => "a read-only page is reclaimed and faulted in twice, so that frames are handed out again; a thread loads";

    /// <inheritdoc/>
    protected override IReadOnlyList<Property> Properties => [new PLife(), new PWrite()];

    /// <inheritdoc/>
    protected override IReadOnlyList<string> MustExercise => ["P-life", "P-write"];

    /// <inheritdoc/>
    protected override Stage Build(FlushDesign design)
    {
        Stage stage = NewStage(design, cpus: 2, pages: 1, framesPerPage: 2, mmapWriters: false, write: false);
        (KernelModel kernel, Mm mm) = stage;
        stage.Machine.SetInitial(mm.Vmas.Address, VmAreas.Covering(0, 1).ReadOnly(0, 1).Bits);
        stage.AddThread(0, "reclaim", () => ReclaimAndUse(kernel, stage.Cpu(0), mm));
        stage.AddThread(1, "user", () => Stage.LoadPages(kernel, stage.Cpu(1), mm, 1));
        return stage;
    }

    private static async Proc ReclaimAndUse(KernelModel kernel, Cpu cpu, Mm mm)
    {
        for (int round = 0; round < 2; round++)
        {
            await kernel.Reclaim.ShrinkFolioList(cpu, 1UL << round, true);
            await kernel.UserAccess.UserLoad(cpu, mm, 0);
        }
    }
}
