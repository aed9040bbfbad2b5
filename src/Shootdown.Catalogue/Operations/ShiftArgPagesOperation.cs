using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// <c>execve</c> moves the stack of the new program to its place (<c>setup_arg_pages</c>, <c>shift_arg_pages</c>) and frees the tables of the old one.
/// </summary>
/// <remarks>
/// The program does not run yet, and has one thread: it meets only reclaim, which comes by the reverse mapping. Migration would have to know
/// that the stack is a temporary one (<c>vma_is_temporary_stack</c>), which the model does not mark. The new place is that of the next table.
/// </remarks>
public sealed class ShiftArgPagesOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "shift-arg-pages";

    /// <inheritdoc/>
    public override string Role => "execve";

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <inheritdoc/>
    public override bool MeetsItself => false;

    /// <inheritdoc/>
    public override bool KeepsContents => false;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonMoves = true };

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Operations.Count: 2, Relation: RangeRelation.Same, Kind: PageKind.Anonymous, Bystander: Bystander.Busy or Bystander.Dirtying }
            && cell.Operations.All(one => one is ShiftArgPagesOperation or ReclaimOperation or ReclaimBatchedOperation);
    }

    /// <inheritdoc/>
    public override Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        int span = call.Kernel.Machine.Paging.SpanOf(1);
        var promise = new Promise(call.Kernel.Machine, call.Cpu, call.Mm.Space, call.FirstPage, call.PageCount, PromiseKind.Removed, "execve()");
        return call.Kernel.Exec.SetupArgPages(call.Cpu, call.Mm, promise, call.FirstPage + span);
    }
}
