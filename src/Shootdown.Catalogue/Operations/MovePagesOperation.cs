using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>move_pages</c>: all pages of the range are unmapped, then one flush comes before the first of them is copied.</summary>
public sealed class MovePagesOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "move-pages";

    /// <inheritdoc/>
    public override string Role => "move_pages";

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <summary>On two pages: one is as good as <c>migrate-batched</c>.</summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Relation: RangeRelation.Overlapping, Kind: PageKind.Anonymous, Operations.Count: 2, Bystander: Bystander.Busy }
            && cell.Operations.Any(operation => operation is MadviseDontneedOperation or MunmapOperation or UserStoreOperation);
    }

    /// <inheritdoc/>
    public override bool HidesPages => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true };

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.MovePages.DoPagesMove(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
}
