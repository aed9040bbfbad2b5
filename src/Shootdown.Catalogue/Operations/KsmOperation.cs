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
        kernel.Machine.Paging.BuildFrame(stable);
        kernel.Machine.SetInitial(kernel.Folios[stable].Frame.RefCount.Address, 1);
        return Merge(call, stable);
    }

    /// <summary>The first page of the range; its frame has its number.</summary>
    private static async Proc Merge(OperationCall call, int stable)
    {
        int frame = call.FirstPage;
        if (await call.Cpu.FrameTryGet(frame, "follow_page") != 0)
        {
            await call.Kernel.Ksm.TryToMergeWithKsmPage(call.Cpu, call.Mm, call.FirstPage, frame, stable);
            await call.Cpu.PutFrames(1UL << frame, "put_page");
        }
    }
}
