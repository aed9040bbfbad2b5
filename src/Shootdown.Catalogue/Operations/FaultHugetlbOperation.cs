using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A third process touches the hugetlbfs file for the first time: it takes the table of the first one, if that is still there.</summary>
public sealed class FaultHugetlbOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "fault-hugetlb";

    /// <inheritdoc/>
    public override string Role => "hugetlb_fault";

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <inheritdoc/>
    public override bool HasChild => true;

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { Files = true };

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => false;

    /// <inheritdoc/>
    public override bool WorksOnHugetlb => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Hugetlb.HugePmdShare(call.Cpu, call.Child, call.Mm, call.Kernel.Files[0], call.FirstPage);
}
