using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Soft-dirty tracking: a write to <c>/proc/PID/clear_refs</c>.</summary>
public sealed class ClearRefsOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "clear-refs";

    /// <inheritdoc/>
    public override string Role => "clear_refs";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.WritesForgotten;

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { SoftDirty = true };

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.ClearRefs.ClearRefsWrite(call.Cpu, call.Mm, call.Promise);
}
