using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// <c>madvise(MADV_DONTNEED)</c> of all that a page table maps, where the kernel frees the table that this leaves empty
/// (<c>CONFIG_PT_RECLAIM</c>, since 6.14).
/// </summary>
public sealed class MadviseDontneedTablesOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "madvise-dontneed-tables";

    /// <inheritdoc/>
    public override string Role => "madvise";

    /// <summary>Promises removal, of the whole table's range.</summary>
    public override PromiseKind? Promises => null;

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <inheritdoc/>
    public override bool NeedsGracePeriods => true;

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <summary>On two pages, which are all that the table maps: whoever walks to an entry, changes one, makes a table or frees one.</summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Relation: RangeRelation.Overlapping, Kind: PageKind.Anonymous, Operations.Count: 2, Bystander: Bystander.Busy }
            && cell.Operations.All(operation => operation is MadviseDontneedTablesOperation or CollapseHugeOperation or ForkOperation
                or GupFastOperation or MadviseDontneedOperation or MprotectReadOnlyOperation or MunmapTablesOperation or ReclaimOperation
                or UserLoadOperation or UserStoreOperation);
    }

    /// <summary>The gather is full after each page: the table's lock is dropped before the table is known to be empty.</summary>
    public override KernelOptions Configure(KernelOptions options)
        => options with { PtReclaim = true, RcuTableFree = true, GatherFrames = 1 };

    /// <summary>Beside a store: two faults make the table again at a time.</summary>
    public override bool BystanderFaults(IReadOnlyList<MmOperation> others) => others.Any(one => one is UserStoreOperation);

    /// <inheritdoc/>
    public override bool KeepsContents => false;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <inheritdoc/>
    public override Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        int span = call.Kernel.Machine.Paging.SpanOf(1);
        var promise = new Promise(call.Kernel.Machine, call.Cpu, call.Mm.Space, 0, span, PromiseKind.Removed, "madvise()");
        return Discard(call, promise);
    }

    private static async Proc Discard(OperationCall call, Promise promise)
        => await call.Kernel.Madvise.MadviseDontneed(call.Cpu, call.Mm, promise);
}
