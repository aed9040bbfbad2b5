using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>KSM replaces the page by another one with the same contents (<c>try_to_merge_with_ksm_page</c>).</summary>
public sealed class KsmOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "ksm-merge";

    /// <inheritdoc/>
    public override string Role => "ksmd";

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool MeetsItself => false;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true };

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        KernelModel kernel = call.Kernel;
        int colours = kernel.Machine.Options.FrameColours;
        int stable = kernel.Machine.Paging.Frames.Count - colours + (call.FirstPage % colours);
        KsmStage.BuildStable(kernel, stable);
        return KsmStage.Merge(kernel, call.Cpu, call.Mm, call.FirstPage, stable);
    }
}
