using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// khugepaged replaces the small pages of a file by a huge folio and takes the page tables away that are left empty (<c>collapse_file</c>,
/// <c>retract_page_tables</c>): faults map the folio by one entry.
/// </summary>
public sealed class CollapseFileOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "collapse-file";

    /// <inheritdoc/>
    public override string Role => "khugepaged";

    /// <inheritdoc/>
    public override bool WritesMmapLock => true;

    /// <inheritdoc/>
    public override bool FreesTables => true;

    /// <summary>Tables are freed by RCU beside it, as where walkers are waited for by an IPI.</summary>
    public override bool NeedsGracePeriods => true;

    /// <inheritdoc/>
    public override bool IsKernelThread => true;

    /// <inheritdoc/>
    public override bool NeedsHugePage => true;

    /// <inheritdoc/>
    public override bool MeetsItself => false;

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <summary>On all of the huge page.</summary>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Relation: RangeRelation.Same, Kind: PageKind.File }
            && cell.Bystander is Bystander.Busy or Bystander.Guest or Bystander.Mirror or Bystander.Device;
    }

    /// <inheritdoc/>
    public override KernelOptions Configure(KernelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options with { Files = true, Thp = true, HugeFiles = true, RcuTableFree = true };
    }

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.File;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Kernel.KhugepagedFile.CollapseFile(call.Cpu, call.Kernel.Files[0], 0, 0);
    }
}
