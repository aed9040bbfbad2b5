using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// <c>pin_user_pages</c> for a device that writes: under the table's lock, with a page fault where the entry does not allow it, and
/// <c>unpin_user_page</c> later.
/// </summary>
public sealed class GupSlowOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "gup-slow";

    /// <inheritdoc/>
    public override string Role => "RDMA";

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <inheritdoc/>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Relation: RangeRelation.Same, Bystander: Bystander.Busy or Bystander.Sharer, Operations.Count: 2 }
            && cell.Operations.All(operation => operation is GupSlowOperation or ForkOperation or KsmOperation or MadviseDontneedOperation
                or MigrateOperation or MprotectReadOnlyOperation or ReclaimBatchedOperation or UserLoadOperation or UserStoreOperation);
    }

    /// <inheritdoc/>
    public override int FramesHeld => 1;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true, Pins = true, WriteProtectSeq = true };

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return Pin(call, new GupCall(call.Cpu, call.Mm, call.FirstPage, GupFlags.Pin | GupFlags.Write, "pin_user_pages()"));
    }

    private static async Proc Pin(OperationCall call, GupCall gup)
    {
        int frame = await call.Kernel.GupSlow.PinUserPages(gup);
        if (frame >= 0)
        {
            await call.Kernel.Gup.UnpinUserPage(gup, frame);
        }
    }
}
