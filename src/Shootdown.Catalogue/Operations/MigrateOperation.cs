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
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true };

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        for (int page = call.FirstPage; page < call.FirstPage + call.PageCount; page++)
        {
            if (await call.Kernel.Reclaim.FolioIsolateLru(call.Cpu, page))
            {
                await call.Kernel.Migrate.MigratePages(call.Cpu, page, false);
            }
        }
    }
}
