using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A write of 1 to <c>/proc/PID/clear_refs</c>: pages are made to look unused. Nothing else of an entry may change.</summary>
public sealed class ClearYoungOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "clear-young";

    /// <inheritdoc/>
    public override string Role => "clear_refs";

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <summary>Beside first stores; and whoever changes an entry, or takes its table away, meets it once.</summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Relation: RangeRelation.Same, Kind: PageKind.Anonymous, Operations.Count: 2, Bystander: Bystander.Busy or Bystander.Dirtying }
            && cell.Operations.All(operation => operation is ClearYoungOperation or CollapseHugeOperation or MadviseDontneedOperation
                or MigrateOperation or MprotectReadOnlyOperation or MunmapTablesOperation or ReclaimOperation);
    }

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.ClearRefs.ClearRefsYoung(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
}
