using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Writeback of a file: <c>write_cache_pages</c> with <c>folio_mkclean</c>.</summary>
public sealed class WritebackOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "writeback";

    /// <inheritdoc/>
    public override string Role => "writeback";

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind is PageKind.File or PageKind.HugeFile;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Writeback.WriteCachePages(call.Cpu, call.Kernel.Files[0], call.FirstPage, call.PageCount);
}
