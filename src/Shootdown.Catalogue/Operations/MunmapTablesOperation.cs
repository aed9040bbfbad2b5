using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>munmap</c> of all that a page table maps: the table is freed too.</summary>
public sealed class MunmapTablesOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "munmap-tables";

    /// <inheritdoc/>
    public override string Role => "munmap";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.Removed;

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <summary>Not on a huge page: its machines have two levels of tables in any case, and <see cref="MunmapOperation"/> does the same there.</summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell.Kind is not (PageKind.Huge or PageKind.HugeCopyOnWrite);
    }

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Munmap.DoMunmap(call.Cpu, call.Mm, call.Promise);
}
