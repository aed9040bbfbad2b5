using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>mremap</c> of all that a page table maps: the table itself goes to another place, entries and pages stay.</summary>
/// <remarks>
/// The range is that of the whole table, also where less of it is mapped (since 6.7 the kernel widens a range to that,
/// <c>try_realign_addr</c>); it goes to where the next table would be.
/// </remarks>
public sealed class MremapTablesOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "mremap-tables";

    /// <inheritdoc/>
    public override string Role => "mremap";

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <summary>A second one would find the new place taken.</summary>
    public override bool MeetsItself => false;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonMoves = true, MremapTables = true };

    /// <inheritdoc/>
    public override bool KeepsContents => false;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <summary>Where the next table maps pages there is no place to go to.</summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell.Relation != RangeRelation.NeighbouringTables;
    }

    /// <inheritdoc/>
    public override Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        int span = call.Kernel.Machine.Paging.SpanOf(1);
        var promise = new Promise(call.Kernel.Machine, call.Cpu, call.Mm.Space, 0, span, PromiseKind.Removed, "mremap()");
        return call.Kernel.Mremap.MoveVma(call.Cpu, call.Mm, promise, span);
    }
}
