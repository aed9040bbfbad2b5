using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A kernel thread takes the address space over (<c>kthread_use_mm</c>), stores to its memory and lets go of it (<c>kthread_unuse_mm</c>); then
/// its CPU goes idle and leaves the page tables (<c>leave_mm</c>).
/// </summary>
public sealed class KthreadUseMmOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "kthread-use-mm";

    /// <inheritdoc/>
    public override string Role => "kthread";

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <summary>Whoever must reach all CPUs with the address space meets it.</summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Relation: RangeRelation.Same, Kind: PageKind.Anonymous, Operations.Count: 2, Bystander: Bystander.Busy }
            && cell.Operations.Any(operation => operation.RulesOutTranslations || operation is ReclaimBatchedOperation or CollapseHugeOperation)
            && !cell.Operations.Any(operation => operation.MayLeaveOthersWaiting);
    }

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Kernel.SwitchMm.KthreadUseMm(call.Cpu, call.Mm);
        await call.Cpu.AccessStore(call.FirstPage, 1);
        await call.Kernel.SwitchMm.KthreadUnuseMm(call.Cpu);
        await call.Kernel.SwitchMm.LeaveMm(call.Cpu);
    }
}
