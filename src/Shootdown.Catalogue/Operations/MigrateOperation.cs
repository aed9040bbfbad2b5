using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Page migration (compaction, NUMA, <c>move_pages</c>) that flushes for every page.</summary>
public sealed class MigrateOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "migrate";

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
        => await call.Kernel.Migrate.CompactZone(call.Cpu, call.FirstPage, call.PageCount, false);
}
