using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>NUMA balancing marks entries so that the next access faults and moves the page.</summary>
public sealed class NumaHintOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "numa-hint";

    /// <inheritdoc/>
    public override string Role => "numa hints";

    /// <inheritdoc/>
    public override bool HidesPages => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true, MisplacedPages = true };

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.NumaHinting.ChangeProtNuma(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
}
