using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>Deadlock: nothing can move and some program has not ended. Always checked.</summary>
public static class Deadlock
{
    /// <summary>How it is named among properties.</summary>
    public const string Id = "deadlock";

    /// <summary>What one judgement is.</summary>
    internal const string JudgementText = "states";

    /// <summary>Judges a state in which no agent can move.</summary>
    public static Violation? Judge(MachineState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var stuck = new List<string>();
        foreach (Agent agent in state.Machine.Agents)
        {
            if (!agent.MayStop && state.LocalOf(agent.Index).Operation is { } operation)
            {
                stuck.Add($"{agent} waits in {operation.Text}");
            }
        }

        return stuck.Count == 0 ? null : new Violation(Id, $"Nothing can move: {string.Join("; ", stuck)}.");
    }
}
