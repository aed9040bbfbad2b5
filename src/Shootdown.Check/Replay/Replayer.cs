using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>Runs one schedule and tells what happened in every step.</summary>
public static class Replayer
{
    /// <summary>Runs the steps and returns the violation that the last one reaches, if any.</summary>
    /// <exception cref="ScheduleException">A step cannot be taken in this machine.</exception>
    public static Violation? Run(CheckModel model, IReadOnlyList<Step> steps) => Run(model, steps, null, null);

    /// <summary>Runs the steps of a livelock, the last of which lead back to where the first of them began.</summary>
    /// <exception cref="ScheduleException">A step cannot be taken in this machine, or the cycle does not lead back.</exception>
    public static Violation? Run(CheckModel model, IReadOnlyList<Step> steps, int? cycleStart) => Run(model, steps, cycleStart, null);

    /// <summary>Runs the steps and collects a trace of them.</summary>
    /// <exception cref="ScheduleException">A step cannot be taken in this machine.</exception>
    public static (Violation? Violation, IReadOnlyList<TraceColumn> Columns, IReadOnlyList<TraceStep> Steps) Trace(
        CheckModel model, IReadOnlyList<Step> steps, int? cycleStart = null)
    {
        var trace = new List<(Agent Agent, TraceStep Step)>();
        Violation? violation = Run(model, steps, cycleStart, trace);
        List<int> cpus = [.. trace.Select(entry => ColumnKey(entry.Agent)).Distinct().Order()];
        IReadOnlyList<TraceColumn> columns = [.. cpus.Select(key => ColumnOf(model.Machine, key))];
        IReadOnlyList<TraceStep> rows = [.. trace.Select(entry => entry.Step with { Column = cpus.IndexOf(ColumnKey(entry.Agent)) })];
        return (violation, columns, rows);
    }

    private static Violation? Run(
        CheckModel model, IReadOnlyList<Step> steps, int? cycleStart, List<(Agent Agent, TraceStep Step)>? trace)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(steps);
        var state = new MachineState(model.Machine);
        StepRunner.RunPrologues(state);
        CycleRecorder? cycle = null;
        for (int i = 0; i < steps.Count; i++)
        {
            Agent agent = model.Machine.Agents[steps[i].Agent];
            int alternatives = state.AlternativesOf(agent);
            if (steps[i].Alternative >= alternatives)
            {
                string why = alternatives == 0 ? "it cannot move there" : $"it has {alternatives} way(s) there";
                throw new ScheduleException(
                    $"step {i + 1} of the schedule moves agent {agent.Index} ({agent}) in way {steps[i].Alternative}, but {why}: "
                    + "is the schedule from the same scenario, variant, model and bounds?");
            }

            cycle = i == cycleStart ? new CycleRecorder(state) : cycle;
            LocalState before = state.LocalOf(agent.Index);
            state.Record = trace is null ? null : new StepRecord();
            StepRunner.Step(state, agent.Index, steps[i].Alternative);
            trace?.Add((agent, Describe(agent, before, state.Record!)));
            if (state.Violation is not null)
            {
                return state.Violation;
            }

            cycle?.Add(state, steps[i]);
        }

        if (cycle is not null)
        {
            return cycle.Judge(state);
        }

        state.Record = null;
        return FinalJudge.IsFinal(state) ? FinalJudge.Judge(state) : null;
    }

    private static TraceStep Describe(Agent agent, LocalState before, StepRecord record) => new()
    {
        Column = 0,
        Text = record.Text ?? before.Operation!.Text,
        Notes = record.Notes,
        CallStack = before.CallStack(),
        InInterrupt = agent.Kind == AgentKind.Interrupt,
        Weight = record.Weight ?? before.Operation!.Weight,
        IsDecisive = record.IsDecisive,
    };

    /// <summary>Steps of a CPU's task, interrupt context and store buffer share a column; devices have their own.</summary>
    private static int ColumnKey(Agent agent) => agent.Cpu?.Index ?? 64 + agent.Index;

    private static TraceColumn ColumnOf(MachineModel machine, int key)
    {
        if (key >= 64 && machine.Agents[key - 64].IsMovable)
        {
            return new TraceColumn(machine.Agents[key - 64].Name, "any CPU");
        }

        if (key >= 64)
        {
            return new TraceColumn(machine.Agents[key - 64].Name, "hardware");
        }

        Agent? task = machine.Agents.FirstOrDefault(agent => agent.Kind == AgentKind.Task && agent.Cpu?.Index == key);
        return new TraceColumn($"CPU{key}", task?.Name ?? "idle");
    }
}
