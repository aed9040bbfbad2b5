using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// Something that must hold on every run. A property watches the machine, reports a <see cref="Violation"/>, and counts its
/// judgements: one that judged nothing makes a clean run inconclusive.
/// </summary>
public abstract class Property : MachineMonitor
{
    /// <summary>E.g. <c>P-life</c>.</summary>
    public abstract string Id { get; }

    /// <summary>What one judgement is, in the plural, e.g. <c>accesses after a promise</c>.</summary>
    public abstract string JudgementText { get; }

    /// <summary>Position among the properties of the check.</summary>
    protected int Slot { get; private set; }

    internal void Attach(MachineModel machine, int slot)
    {
        Slot = slot;
        machine.Monitors.Add(this);
        AllocateWords(machine);
    }

    /// <summary>Reserves the words in which the property keeps what it must remember.</summary>
    protected virtual void AllocateWords(MachineModel machine)
    {
    }

    /// <summary>True if no program of the machine waits for ever; for <see cref="MachineMonitor.OnFinal"/>.</summary>
    protected static bool AllHaveEnded(MachineState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Machine.Agents.All(agent => agent.Kind != AgentKind.Task || state.LocalOf(agent.Index).Operation is null);
    }

    /// <summary>Counts a judgement.</summary>
    protected void Judge(MachineState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        state.Judged(Slot);
    }

    /// <summary>Reports a violation, unless the step already has one.</summary>
    protected void Report(MachineState state, string sentence)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(sentence);
        state.Violation ??= new Violation(Id, sentence.StartsWith("the ", StringComparison.Ordinal) ? $"T{sentence[1..]}" : sentence);
        state.Record?.Decide();
    }
}
