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
            state.Machine.Costs?.AddCalls(state, agent, agent.InitialCalls);
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
        if (state.Machine.Costs is { } costs)
        {
            StepAndCharge(state, local, alternative, costs);
            return;
        }

        long result = local.Operation!.Execute(state, alternative);
        LocalState next = local.Next(result);
        state.SetLocal(agent, next.IsLocalStep ? RunLocalSteps(state, next) : next);
    }

    private static void StepAndCharge(MachineState state, LocalState local, int alternative, CostCounters costs)
    {
        CostEvent cost = local.Operation!.CostOf(state);
        int place = cost.Amount == 0 ? 0 : costs.PlaceOf(state, local.Agent);
        long result = local.Operation.Execute(state, alternative);
        LocalState next = local.Next(result);
        costs.AddCalls(state, local.Agent, local.CallsOf(result));
        next = next.IsLocalStep ? RunLocalSteps(state, next) : next;
        if (cost.Amount != 0)
        {
            costs.Charge(state, local.Agent, cost, place, next.Operation);
        }

        state.SetLocal(local.Agent.Index, next);
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

            long result = local.Operation!.Execute(state, 0);
            LocalState next = local.Next(result);
            state.Machine.Costs?.AddCalls(state, local.Agent, local.CallsOf(result));
            local = next;
        }

        return local;
    }
}
