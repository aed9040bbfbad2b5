using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A driver takes its memory back: <c>unmap_mapping_range</c>, then it frees what was mapped.</summary>
public sealed class DriverFreeOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "driver-free";

    /// <inheritdoc/>
    public override string Role => "driver";

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind is PageKind.Driver;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override bool MeetsItself => false;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        await call.Kernel.Truncate.UnmapMappingRange(call.Cpu, call.Kernel.Files[0], call.FirstPage, call.PageCount);
        await call.Cpu.FreeFrames(call.Frames, "driver_free");
    }
}
