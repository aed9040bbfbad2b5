using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>fork</c>: a child gets the pages, and the parent loses the right to write them without a copy.</summary>
public sealed class ForkOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "fork";

    /// <inheritdoc/>
    public override string Role => "fork";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.WriteProtected;

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool HasChild => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true };

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind is PageKind.Hinted or PageKind.PrivateFile || base.WorksOn(kind);

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Fork.DupMmap(call.Cpu, call.Mm, call.Child, call.Promise);
}
