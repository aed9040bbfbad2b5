using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>pin_user_pages_fast</c> for a device that writes, and <c>unpin_user_page</c> later: it holds its pin while others run.</summary>
public sealed class GupFastOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "gup-fast";

    /// <inheritdoc/>
    public override string Role => "O_DIRECT";

    /// <inheritdoc/>
    public override int FramesHeld => 1;

    /// <inheritdoc/>
    public override bool BystanderFaults(IReadOnlyList<MmOperation> others) => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true, Pins = true, WriteProtectSeq = true };

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind is PageKind.Anonymous or PageKind.File or PageKind.HugeFile;

    /// <summary>Small pages of a file matter to those that move or free them, who must see the reference.</summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell.Kind != PageKind.File || cell is { Relation: RangeRelation.Same, Bystander: Bystander.Busy };
    }

    /// <inheritdoc/>
    public override Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return Pin(call, new GupCall(call.Cpu, call.Mm, call.FirstPage, GupFlags.Pin | GupFlags.Write | GupFlags.FastOnly));
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
