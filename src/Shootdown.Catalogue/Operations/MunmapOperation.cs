using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>munmap</c> of part of what a page table maps: areas and pages go, the table stays.</summary>
public sealed class MunmapOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "munmap";

    /// <inheritdoc/>
    public override string Role => "munmap";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.Removed;

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Munmap.DoMunmap(call.Cpu, call.Mm, call.Promise);
}
