using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-cost: counts what every run costs: flushes, IPIs, notifier calls, flushes that were of no use, calls of named functions.
/// It is violated by nothing; its result is <see cref="CheckReport.Costs"/>. So the tool can tell what breaks a promise
/// from what only costs more.
/// </summary>
/// <remarks>
/// The counters belong to the state: runs that cost differently end in different states, which makes the state space larger.
/// A flush counts as redundant if, in that run, nothing that it drops can have differed from the page tables. Runs
/// that have no end (programs that loop) are not counted.
/// </remarks>
/// <param name="byOperation">
/// True to count also for each CPU whose program caused the costs: what a handler does is charged to the sender of the IPI,
/// but the receipt of the IPI to its target.
/// </param>
/// <param name="functions">Kernel functions whose calls are counted, e.g. <c>free_pgd_range</c>.</param>
public sealed class PCost(bool byOperation = false, params IReadOnlyList<string> functions) : Property
{
    /// <inheritdoc/>
    public override string Id => "P-cost";

    /// <inheritdoc/>
    public override string JudgementText => "runs that were counted";

    /// <inheritdoc/>
    public override void OnFinal(MachineState state) => Judge(state);

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        machine.CountCosts(functions, byOperation);
    }
}
