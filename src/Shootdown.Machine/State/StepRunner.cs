namespace Shootdown.Machine;

/// <summary>Takes one agent through one step: a visible operation and the local ones behind it.</summary>
public static class StepRunner
{
    /// <summary>Local operations in a row without a visible one; more means a program that never ends.</summary>
    private const int LocalStepsMax = 100_000;

    /// <summary>Runs every agent to its first visible operation; once, on the initial state.</summary>
    public static void RunPrologues(MachineState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        foreach (Agent agent in state.Machine.Agents)
        {
            state.SetLocal(agent.Index, RunLocalSteps(state, state.LocalOf(agent.Index)));
        }

        state.ForgetUndo();
    }

    /// <summary>
    /// Performs the operation that an agent waits for in one of its ways. <see cref="MachineState.UndoTo"/> takes it back.
    /// </summary>
    public static void Step(MachineState state, int agent, int alternative)
    {
        ArgumentNullException.ThrowIfNull(state);
        LocalState local = state.LocalOf(agent);
        long result = local.Operation!.Execute(state, alternative);
        LocalState next = local.Next(result);
        state.SetLocal(agent, next.IsLocalStep ? RunLocalSteps(state, next) : next);
    }

    private static LocalState RunLocalSteps(MachineState state, LocalState local)
    {
        for (int steps = 0; local.IsLocalStep; steps++)
        {
            if (steps == LocalStepsMax)
            {
                throw new ProcRuleException(
                    $"{local.Agent} made {LocalStepsMax} local steps without one that others can see: its program never ends");
            }

            local = local.Next(local.Operation!.Execute(state, 0));
        }

        return local;
    }
}
