using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>What is judged where nothing can move: deadlock, then what the properties say about final states.</summary>
internal static class FinalJudge
{
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
