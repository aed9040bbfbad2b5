using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// <c>munmap</c> of hugetlbfs memory whose page table another process shares: the table is given up (<c>huge_pmd_unshare</c>), or, by the
/// last user, cleared and freed.
/// </summary>
public class MunmapHugetlbOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "munmap-hugetlb";

    /// <inheritdoc/>
    public override string Role => "munmap";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.Removed;

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { Files = true };

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => false;

    /// <inheritdoc/>
    public override bool WorksOnHugetlb => true;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        // An area goes from one entry above the table to the next: a smaller one would be unshared before it is split.
        int span = call.Kernel.Machine.Paging.SpanOf(1);
        await call.Kernel.Hugetlb.DoMunmap(call.Cpu, call.Mm, call.Kernel.Files[0], call.FirstPage / span * span, span, call.Promise);
    }
}
