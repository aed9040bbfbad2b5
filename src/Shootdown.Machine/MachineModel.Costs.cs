namespace Shootdown.Machine;

/// <content>What runs cost, if somebody wants to know.</content>
public sealed partial class MachineModel
{
    /// <summary>What is counted for P-cost; null if no property asked for it.</summary>
    public CostCounters? Costs { get; private set; }

    /// <summary>
    /// Counts what runs cost; asked for by a property, before <see cref="Seal"/> or behind it, as long as there is no state of the machine.
    /// </summary>
    /// <param name="functions">Kernel functions whose calls are counted, as the kernel spells them.</param>
    /// <param name="byOperation">True to count for each CPU that causes the costs.</param>
    public CostCounters CountCosts(IReadOnlyList<string> functions, bool byOperation)
    {
        ArgumentNullException.ThrowIfNull(functions);
        if (Costs is not null)
        {
            throw new ProcRuleException("costs are counted already: one P-cost for a check");
        }

        bool wasSealed = IsSealed;
        IsSealed = false;
        Costs = new CostCounters(this, functions, byOperation);
        if (wasSealed)
        {
            FixLayout();
        }

        return Costs;
    }
}
