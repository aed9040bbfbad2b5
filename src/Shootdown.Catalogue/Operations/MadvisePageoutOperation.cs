using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>madvise(MADV_PAGEOUT)</c>: pages are reclaimed at once.</summary>
public sealed class MadvisePageoutOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "madvise-pageout";

    /// <inheritdoc/>
    public override string Role => "madvise";

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Madvise.MadvisePageout(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
}
