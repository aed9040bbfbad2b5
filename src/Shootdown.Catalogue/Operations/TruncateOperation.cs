using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>ftruncate</c>: pages leave the page cache and all mappings.</summary>
public sealed class TruncateOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "truncate";

    /// <inheritdoc/>
    public override string Role => "ftruncate";

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind is PageKind.File or PageKind.HugeFile or PageKind.PrivateFile;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Truncate.TruncateSetsize(call.Cpu, call.Kernel.Files[0], call.FirstPage);
}
