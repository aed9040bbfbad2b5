using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>userfaultfd write protection of a range. Nobody resolves it: who stores waits for ever.</summary>
public sealed class UserfaultProtectOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "uffd-wp";

    /// <inheritdoc/>
    public override string Role => "uffd";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.StoresReported;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override bool MayLeaveOthersWaiting => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { UserfaultWp = true };

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Referenced || base.WorksOn(kind);

    /// <summary>
    /// On a huge page not with the two that take longest there, a million states each: what they do to marks, <see cref="ReclaimOperation"/> and
    /// <see cref="MigrateOperation"/> do.
    /// </summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell.Kind != PageKind.Huge || !cell.Operations.Any(operation => operation is MadvisePageoutOperation or MigrateDeviceOperation);
    }

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Userfaultfd.WriteProtect(call.Cpu, call.Mm, call.Promise);
}
