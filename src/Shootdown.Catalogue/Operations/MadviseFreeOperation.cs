using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>madvise(MADV_FREE)</c>: pages that nobody writes to again may be thrown away.</summary>
public sealed class MadviseFreeOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "madvise-free";

    /// <inheritdoc/>
    public override string Role => "madvise";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.ContentsGivenUp;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { AnonFolios = true, Lazyfree = true };

    /// <inheritdoc/>
    public override bool SplitsHugePages => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Cpu.BeginPromise(call.Promise);
        await call.Kernel.Madvise.MadviseFree(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
        await call.Cpu.ReturnPromise(call.Promise);
    }
}
