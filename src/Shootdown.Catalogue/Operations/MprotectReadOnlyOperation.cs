using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>mprotect(PROT_READ)</c>.</summary>
public sealed class MprotectReadOnlyOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "mprotect-ro";

    /// <inheritdoc/>
    public override string Role => "mprotect";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.WriteProtected;

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Mprotect.MprotectReadOnly(call.Cpu, call.Mm, call.Promise);
}
