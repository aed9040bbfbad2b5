using System.Numerics;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// Looks for livelocks: a reachable cycle of states that a fair run can repeat for ever while a program that must end does not.
/// Explores every interleaving, without reduction and symmetry: a reduced graph keeps the states in which something goes wrong, but
/// not every cycle, nor who could move along it.
/// </summary>
public static class ProgressSearch
{
    /// <summary>Explores a model whose runs violate nothing else.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">Bounds on memory and time; beyond them the result is incomplete.</param>
    /// <param name="elapsedSeconds">Wall time that the check has taken so far, in seconds.</param>
    /// <returns>A violation with its cycle, or what was explored; <see cref="ExplorationResult.UnfinishedStates"/> counts what was judged.</returns>
    public static ExplorationResult Explore(CheckModel model, CheckOptions options, Func<double> elapsedSeconds)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(elapsedSeconds);
        var graph = StateGraph.Explore(model, options, elapsedSeconds);
        var agents = FairAgents.Of(model.Machine);
        var result = new ExplorationResult
        {
            Incomplete = graph.Incomplete,
            States = graph.Count,
            Transitions = graph.EdgeCount,
            Executions = graph.FinalStates,
            DepthMax = graph.DepthMax,
            TableBytes = graph.Bytes,
            IsWholeGraph = true,
        };
        if (result.Incomplete is not null)
        {
            return result;
        }

        IReadOnlyList<int[]> fair = FairComponents.Find(graph, agents);
        result = result with { UnfinishedStates = graph.CountUnfinished(agents.MustEnd) };
        if (fair.Count == 0)
        {
            return result;
        }

        var lasso = LassoFinder.Find(graph, agents, fair);
        return result with
        {
            Path = lasso.Steps,
            CycleStart = lasso.CycleStart,
            Violation = Replayer.Run(model, lasso.Steps, lasso.CycleStart)
                ?? throw new InvalidOperationException("a livelock does not replay: this is a bug of the checker"),
        };
    }

    /// <summary>
    /// What is wrong with a cycle, at the state at which it begins and ends; null if some agent is treated unfairly, or every program
    /// that must end has ended.
    /// </summary>
    /// <param name="state">The state.</param>
    /// <param name="tally">Who could move and who did.</param>
    /// <param name="calls">The functions in which each agent stood during the whole cycle, outermost first.</param>
    internal static Violation? Judge(MachineState state, CycleTally tally, IReadOnlyList<IReadOnlyList<string>?> calls)
    {
        var agents = FairAgents.Of(state.Machine);
        ulong stuck = AgentMasks.Of(state).Unfinished & agents.MustEnd;
        if (stuck == 0 || tally.Wronged(agents) != 0)
        {
            return null;
        }

        var what = new List<string>();
        for (ulong rest = stuck; rest != 0; rest &= rest - 1)
        {
            int agent = BitOperations.TrailingZeroCount(rest);
            string where = calls[agent] is { Count: > 0 } names ? $" from {names[^1]}()" : string.Empty;
            what.Add((tally.Moved & (1UL << agent)) != 0
                ? $"{state.Machine.Agents[agent]} never returns{where}"
                : $"{state.Machine.Agents[agent]} waits in {state.LocalOf(agent).Operation!.Text}");
        }

        return new Violation(PProgress.Name, $"This can go on for ever, with a turn for everybody who can move: {string.Join("; ", what)}.");
    }
}
