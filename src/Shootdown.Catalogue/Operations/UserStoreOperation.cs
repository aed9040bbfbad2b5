using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A user thread that stores, page faults included.</summary>
public sealed class UserStoreOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "user-store";

    /// <inheritdoc/>
    public override string Role => "user";

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind != PageKind.Driver;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await Stage.StorePages(call.Kernel, call.Cpu, call.Mm, call.FirstPage, call.PageCount);
}
