using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>khugepaged unhooks a page table whose pages a huge page covers (<c>collapse_pte_mapped_thp</c>); the pages stay with the page cache.</summary>
public sealed class CollapseOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "collapse";

    /// <inheritdoc/>
    public override string Role => "khugepaged";

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <inheritdoc/>
    public override bool NeedsGracePeriods => true;

    /// <summary>Those of a page cache that the machine does not have.</summary>
    public override bool LeavesReferences => true;

    /// <inheritdoc/>
    public override bool KeepsContents => false;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <summary>A fault would map the huge page that the small ones are parts of.</summary>
    public override bool PagesComeBack => false;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        await call.Kernel.MmapLock.MmapWriteLock(call.Cpu, call.Mm);
        await call.Kernel.PmdCollapse.CollapsePteMappedThp(call.Cpu, call.Mm, call.FirstPage);
        await call.Kernel.MmapLock.MmapWriteUnlock(call.Cpu, call.Mm);
    }
}
