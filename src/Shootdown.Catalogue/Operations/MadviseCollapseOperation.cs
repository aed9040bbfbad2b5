using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>madvise(MADV_COLLAPSE)</c>: what khugepaged does, but at once, by a thread of the process and for a range.</summary>
public sealed class MadviseCollapseOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "madvise-collapse";

    /// <inheritdoc/>
    public override string Role => "madvise";

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <inheritdoc/>
    public override bool NeedsGracePeriods => true;

    /// <inheritdoc/>
    public override bool MeetsItself => false;

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <inheritdoc/>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Relation: RangeRelation.Same, Kind: PageKind.Anonymous, Operations.Count: 2, Bystander: Bystander.Busy }
            && cell.Operations.Any(operation => operation is MadviseDontneedOperation or ReclaimOperation or UserStoreOperation);
    }

    /// <inheritdoc/>
    public override bool NeedsHugePage => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options)
        => options with { AnonFolios = true, Thp = true, HugeCollapse = true, RcuTableFree = true };

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Kernel.Madvise.MadviseCollapse(call.Cpu, call.Mm, 0, call.Kernel.Machine.Paging.SpanOf(1));
    }
}
