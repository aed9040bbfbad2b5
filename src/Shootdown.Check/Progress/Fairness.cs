using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>What fairness asks of the agents of a machine.</summary>
/// <param name="Fair">
/// Agents that do not stand still for ever while they can move: programs, interrupt contexts, store buffers. Hardware that may move by
/// itself (a walker that runs ahead) need not.
/// </param>
/// <param name="MustEnd">Programs that have to end.</param>
internal sealed record FairAgents(ulong Fair, ulong MustEnd)
{
    /// <summary>The agents of a machine.</summary>
    internal static FairAgents Of(MachineModel machine)
    {
        ulong fair = 0;
        ulong mustEnd = 0;
        foreach (Agent agent in machine.Agents)
        {
            ulong bit = 1UL << agent.Index;
            fair |= agent.Kind == AgentKind.Hardware ? 0 : bit;
            mustEnd |= agent.MayStop ? 0 : bit;
        }

        return new FairAgents(fair, mustEnd);
    }
}

/// <summary>Where the agents of a state stand, as masks.</summary>
/// <param name="Enabled">Those that can move; operations that only judge are no moves.</param>
/// <param name="Served">Those of them that get their turn if they can move again and again (<see cref="Operation.IsServedInTurn"/>).</param>
/// <param name="Unfinished">Those whose program has not ended.</param>
internal readonly record struct AgentMasks(ulong Enabled, ulong Served, ulong Unfinished)
{
    /// <summary>The masks of a state.</summary>
    internal static AgentMasks Of(MachineState state)
    {
        ulong enabled = 0;
        ulong served = 0;
        ulong unfinished = 0;
        foreach (Agent agent in state.Machine.Agents)
        {
            if (state.LocalOf(agent.Index).Operation is not { } operation)
            {
                continue;
            }

            ulong bit = 1UL << agent.Index;
            unfinished |= bit;
            if (!operation.IsObservation && state.AlternativesOf(agent) > 0)
            {
                enabled |= bit;
                served |= operation.IsServedInTurn ? bit : 0;
            }
        }

        return new AgentMasks(enabled, served, unfinished);
    }
}

/// <summary>Adds up who could move and who did along a cycle. A value.</summary>
/// <param name="AlwaysEnabled">Agents that could move in every state of it.</param>
/// <param name="EverServed">Agents whose turn it would have been in some state.</param>
/// <param name="Moved">Agents that moved.</param>
internal readonly record struct CycleTally(ulong AlwaysEnabled, ulong EverServed, ulong Moved)
{
    /// <summary>Nothing seen.</summary>
    internal static CycleTally Empty => new(ulong.MaxValue, 0, 0);

    /// <summary>With a state of the cycle.</summary>
    internal CycleTally With(AgentMasks state)
        => this with { AlwaysEnabled = AlwaysEnabled & state.Enabled, EverServed = EverServed | state.Served };

    /// <summary>With a step of the cycle.</summary>
    internal CycleTally With(Step step) => this with { Moved = Moved | (1UL << step.Agent) };

    /// <summary>The agents that are treated unfairly if the cycle goes on for ever.</summary>
    internal ulong Wronged(FairAgents agents) => agents.Fair & (AlwaysEnabled | EverServed) & ~Moved;
}
