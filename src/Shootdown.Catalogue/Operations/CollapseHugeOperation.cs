using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>khugepaged replaces the small pages of a table by a huge one (<c>collapse_huge_page</c>).</summary>
public sealed class CollapseHugeOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "collapse-huge";

    /// <inheritdoc/>
    public override string Role => "khugepaged";

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <summary>Tables are freed by RCU beside it, as where walkers are waited for by an IPI.</summary>
    public override bool NeedsGracePeriods => true;

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool MeetsItself => false;

    /// <inheritdoc/>
    public override bool NeedsHugePage => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options)
        => options with { AnonFolios = true, Thp = true, HugeCollapse = true, RcuTableFree = true };

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <summary>On two tables it would need two huge pages' worth.</summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell.Relation != RangeRelation.NeighbouringTables;
    }

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        int span = call.Kernel.Machine.Paging.SpanOf(1);
        await call.Kernel.Khugepaged.CollapseHugePage(call.Cpu, call.Mm, call.FirstPage / span * span);
    }
}
