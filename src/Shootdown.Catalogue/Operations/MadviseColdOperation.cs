using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>madvise(MADV_COLD)</c>: pages are made to look old.</summary>
public sealed class MadviseColdOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "madvise-cold";

    /// <inheritdoc/>
    public override string Role => "madvise";

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Madvise.MadviseCold(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
}
