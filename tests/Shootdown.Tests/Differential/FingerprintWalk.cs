using Shootdown.Machine;

namespace Shootdown.Tests.Differential;

/// <summary>A random walk that compares the fingerprint that every step updates with the one made from the whole state.</summary>
internal static class FingerprintWalk
{
    /// <summary>Walks, and takes one step in three back: what a step changed must not be lost then.</summary>
    /// <param name="machine">A sealed machine.</param>
    /// <param name="seed">Chooses the walk.</param>
    /// <param name="steps">Length at most; the walk ends at a violation, and where nobody can move.</param>
    internal static void Check(MachineModel machine, int seed, int steps)
    {
        var state = new MachineState(machine);
        StepRunner.RunPrologues(state);
        var random = new Random(seed);
        for (int step = 0; step < steps && state.Violation is null; step++)
        {
            Agent[] able = [.. machine.Agents.Where(agent => state.AlternativesOf(agent) > 0)];
            if (able.Length == 0)
            {
                break;
            }

            Agent agent = able[random.Next(able.Length)];
            long mark = state.UndoMark;
            (ulong Low, ulong High) before = (state.HashLow, state.HashHigh);
            StepRunner.Step(state, agent.Index, random.Next(state.AlternativesOf(agent)));
            Assert.Equal(state.FingerprintFromScratch(), (state.HashLow, state.HashHigh));
            if (random.Next(3) == 0)
            {
                state.UndoTo(mark);
                Assert.Equal(before, (state.HashLow, state.HashHigh));
            }
        }
    }
}
