using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Page migration with a deferred flush (6.3 and later).</summary>
public sealed class MigrateBatchedOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "migrate-batched";

    /// <inheritdoc/>
    public override string Role => "compaction";

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool HidesPages => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true };

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Migrate.CompactZone(call.Cpu, call.FirstPage, call.PageCount, true);
}
