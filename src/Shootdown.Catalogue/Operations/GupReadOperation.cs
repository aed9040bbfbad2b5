using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// <c>pin_user_pages_fast</c> for a device that only reads: first without a lock, then the slow way. A page that is not exclusive is unshared
/// first, so that the pin and the process go on seeing each other.
/// </summary>
public sealed class GupReadOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "gup-read";

    /// <inheritdoc/>
    public override string Role => "O_DIRECT";

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <inheritdoc/>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Relation: RangeRelation.Same, Bystander: Bystander.Busy or Bystander.Sharer, Operations.Count: 2 }
            && cell.Operations.All(operation => operation is GupReadOperation or ForkOperation or KsmOperation or MadviseDontneedOperation
                or NumaHintOperation or ReclaimBatchedOperation or UserLoadOperation or UserStoreOperation);
    }

    /// <inheritdoc/>
    public override int FramesHeld => 1;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true, Pins = true, WriteProtectSeq = true };

    /// <inheritdoc/>
    public override Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return Pin(call, new GupCall(call.Cpu, call.Mm, call.FirstPage, GupFlags.Pin));
    }

    private static async Proc Pin(OperationCall call, GupCall gup)
    {
        int frame = await call.Kernel.Gup.GupFastFallback(gup);
        if (frame >= 0)
        {
            await call.Kernel.Gup.UnpinUserPage(gup, frame);
        }
    }
}
