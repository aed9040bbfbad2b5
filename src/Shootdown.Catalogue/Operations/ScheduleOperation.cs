using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>
/// A CPU switches to another process and back, and loads. It meets the others beside a CPU that does the same: two of them change
/// <c>mm_cpumask</c> at a time.
/// </summary>
public sealed class ScheduleOperation : MmOperation
{
    /// <inheritdoc/>
    public override string Id => "schedule";

    /// <inheritdoc/>
    public override string Role => "scheduler";

    /// <summary>The process that it switches to is made as a child is, and has no memory.</summary>
    public override bool HasChild => true;

    /// <inheritdoc/>
    public override bool MeetsAll => false;

    /// <inheritdoc/>
    public override bool Joins(PairCell cell)
    {
        ArgumentNullException.ThrowIfNull(cell);
        return cell is { Bystander: Bystander.Switching, Relation: RangeRelation.Same, Operations.Count: 2 }
            && cell.Operations.Any(operation => operation.RulesOutTranslations);
    }

    /// <inheritdoc/>
    public override int FramesHeld => 0;

    /// <inheritdoc/>
    public override bool WorksOn(PageKind kind) => kind == PageKind.Anonymous;

    /// <inheritdoc/>
    public override async Proc Run(OperationCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Kernel.SwitchMm.SwitchTo(call.Cpu, call.Child);
        await call.Kernel.SwitchMm.SwitchTo(call.Cpu, call.Mm);
        await call.Cpu.AccessTouch(call.FirstPage);
    }
}
