using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>A user thread that loads, page faults included.</summary>
public sealed class UserLoadOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "user-load";

    /// <inheritdoc/>
    public override string Role => "user";

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind is not (PageKind.Driver or PageKind.Referenced);

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
        => await Stage.LoadPages(call.Kernel, call.Cpu, call.Mm, call.FirstPage, call.PageCount);
}
