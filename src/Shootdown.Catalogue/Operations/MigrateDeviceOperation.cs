using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Migration to device memory: <c>migrate_vma_setup</c> and what follows.</summary>
public sealed class MigrateDeviceOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "migrate-device";

    /// <inheritdoc/>
    public override string Role => "driver";

    /// <inheritdoc/>
    public override bool HidesPages => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true };

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        for (int page = call.FirstPage; page < call.FirstPage + call.PageCount; page++)
        {
            await call.Kernel.MigrateDevice.MigrateVma(call.Cpu, call.Mm, page);
        }
    }
}
