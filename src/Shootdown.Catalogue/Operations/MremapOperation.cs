using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>mremap</c> to another place: the entries move, the pages stay.</summary>
public sealed class MremapOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "mremap";

    /// <inheritdoc/>
    public override string Role => "mremap";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.Removed;

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override int DestinationPages(int pageCount) => pageCount;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonMoves = true };

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Mremap.MoveVma(call.Cpu, call.Mm, call.Promise, call.DestinationPage);
}
