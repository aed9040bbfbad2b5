using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>What is judged where nothing can move: deadlock, then what the properties say about final states.</summary>
internal static class FinalJudge
{
    /// <summary>True if no program can move; hardware that may move by itself cannot end a program's wait.</summary>
    internal static bool IsFinal(MachineState state)
    {
        foreach (Agent agent in state.Machine.Agents)
        {
            if (agent.Kind != AgentKind.Hardware && state.AlternativesOf(agent) > 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Judges a state in which no program can move; null if nothing is wrong with it.</summary>
    internal static Violation? Judge(MachineState state)
    {
        if (Deadlock.Judge(state) is { } deadlock)
        {
            return deadlock;
        }

        foreach (MachineMonitor monitor in state.Machine.Monitors)
        {
            monitor.OnFinal(state);
        }

        Violation? violation = state.Violation;
        state.Violation = null;
        return violation;
    }
}
