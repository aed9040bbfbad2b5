using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-atomic: nothing sleeps in atomic context (a spinlock held, preemption or interrupts off, inside an RCU read section, in
/// an interrupt handler), and no per-CPU object is used by a task that moved to another CPU or may be moved.
/// </summary>
/// <remarks>
/// The machine reports a sleep in atomic context in every check. A scenario names this property where the answer must say how
/// often there was something to judge, or where <see cref="MachineOptions.SleepsInAtomic"/> lets it through otherwise.
/// </remarks>
public sealed class PAtomic : Property
{
    /// <inheritdoc/>
    public override string Id => "P-atomic";

    /// <inheritdoc/>
    public override string JudgementText => "points that may sleep, and uses of per-CPU objects";

    /// <inheritdoc/>
    public override void OnMightSleep(MachineState state, Cpu cpu, string function, string? reason)
    {
        Judge(state);
        if (reason is not null)
        {
            Report(state, $"{cpu} may sleep in {function} {reason}.");
        }
    }

    /// <inheritdoc/>
    public override void OnPerCpuUse(MachineState state, Cpu cpu, PerCpuObject used, bool mayMove)
    {
        Judge(state);
        if (used.Owner != cpu)
        {
            Report(state, $"The task runs on {cpu} and uses {used.Name} of {used.Owner}, where it ran before: another task may use it too.");
        }
        else if (mayMove)
        {
            Report(state, $"{cpu} uses its {used.Name} with preemption on: the task may be moved at any time.");
        }
    }
}
