using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Reclaim that flushes for every page.</summary>
public sealed class ReclaimOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "reclaim";

    /// <inheritdoc/>
    public override string Role => "reclaim";

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind is not (PageKind.Driver or PageKind.Referenced or PageKind.Hinted);

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Reclaim.ShrinkFolioList(call.Cpu, call.Frames, false);
}
