using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>The end of userfaultfd write protection, for pages that are protected or not.</summary>
public sealed class UserfaultResolveOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "uffd-unprotect";

    /// <inheritdoc/>
    public override string Role => "uffd";

    /// <inheritdoc/>
    public override PromiseKind? Promises => PromiseKind.StoresAllowed;

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options) => options with { UserfaultWp = true };

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Referenced || base.WorksOn(kind);

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Cpu.BeginPromise(call.Promise);
        await call.Kernel.Userfaultfd.WriteUnprotect(call.Cpu, call.Mm, call.FirstPage, call.PageCount);
        await call.Cpu.ReturnPromise(call.Promise);
    }
}
