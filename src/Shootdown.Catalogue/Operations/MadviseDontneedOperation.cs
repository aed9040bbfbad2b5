using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary><c>madvise(MADV_DONTNEED)</c>: the pages are zapped, under mmap_lock for reading.</summary>
public sealed class MadviseDontneedOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "madvise-dontneed";

    /// <inheritdoc/>
    public override string Role => "madvise";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.Removed;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await call.Kernel.Madvise.MadviseDontneed(call.Cpu, call.Mm, call.Promise);
}
