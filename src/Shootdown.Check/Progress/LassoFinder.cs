using System.Numerics;

namespace Shootdown.Check;

/// <summary>A run that goes on for ever: a way to a state, and a way from there back to it.</summary>
/// <param name="Steps">Both, one after the other.</param>
/// <param name="CycleStart">Steps before the cycle.</param>
internal sealed record Lasso(IReadOnlyList<Step> Steps, int CycleStart);

/// <summary>Finds a short fair cycle in a set of states that <see cref="FairComponents"/> found, and a shortest way to it.</summary>
internal sealed class LassoFinder
{
    /// <summary>States from which a cycle is tried; those nearest to the initial state come first.</summary>
    private const int StartsMax = 200;

    private readonly StateGraph _graph;
    private readonly FairAgents _agents;
    private readonly HashSet<int> _inside;

    private LassoFinder(StateGraph graph, FairAgents agents, int[] component)
    {
        _graph = graph;
        _agents = agents;
        _inside = [.. component];
    }

    /// <summary>The shortest run that was found over all sets.</summary>
    internal static Lasso Find(StateGraph graph, FairAgents agents, IReadOnlyList<int[]> components)
    {
        Lasso? best = null;
        foreach (int[] component in components.OrderBy(set => graph.DepthOf(set[0])).Take(StartsMax))
        {
            var finder = new LassoFinder(graph, agents, component);
            foreach (int start in component.Take(Math.Max(1, StartsMax / components.Count)))
            {
                List<Step> cycle = finder.CycleFrom(start);
                if (best is null || graph.DepthOf(start) + cycle.Count < best.Steps.Count)
                {
                    List<Step> stem = graph.PathTo(start);
                    best = new Lasso([.. stem, .. cycle], stem.Count);
                }
            }
        }

        return best ?? throw new InvalidOperationException("a set of states without a fair cycle: this is a bug of the checker");
    }

    /// <summary>The shortest cycle through a state if it is fair, else one that gives every agent its due in turn.</summary>
    private List<Step> CycleFrom(int start)
    {
        var walk = new Walk(this, start);
        walk.Go((node, edge) => edge.To == start);
        if (walk.Tally.Wronged(_agents) == 0)
        {
            return walk.Steps;
        }

        walk = new Walk(this, start);
        for (ulong rest = _agents.Fair; rest != 0; rest &= rest - 1)
        {
            ulong agent = rest & (~rest + 1);
            if ((walk.Tally.Wronged(_agents) & agent) != 0 && !walk.Go((_, edge) => 1UL << edge.Step.Agent == agent))
            {
                walk.Go((_, edge) => (_graph.MasksOf(edge.To).Enabled & agent) == 0);
            }
        }

        if (walk.At != start)
        {
            walk.Go((_, edge) => edge.To == start);
        }

        // The way back may have met a lock that was free for somebody who was never asked for.
        for (ulong wronged = walk.Tally.Wronged(_agents); wronged != 0; wronged = walk.Tally.Wronged(_agents))
        {
            int agent = BitOperations.TrailingZeroCount(wronged);
            walk.Go((_, edge) => edge.Step.Agent == agent);
            if (walk.At != start)
            {
                walk.Go((_, edge) => edge.To == start);
            }
        }

        return walk.Steps;
    }

    /// <summary>A way through the set, grown by shortest pieces.</summary>
    private sealed class Walk(LassoFinder finder, int start)
    {
        internal int At { get; private set; } = start;

        internal List<Step> Steps { get; } = [];

        internal CycleTally Tally { get; private set; } = CycleTally.Empty.With(finder._graph.MasksOf(start));

        /// <summary>Goes on by the fewest steps to one that is wanted; false if there is none.</summary>
        internal bool Go(Func<int, StateGraph.Edge, bool> isWanted)
        {
            var reached = new Dictionary<int, (int From, StateGraph.Edge By)>();
            var queue = new Queue<int>([At]);
            while (queue.TryDequeue(out int node))
            {
                foreach (StateGraph.Edge edge in finder._graph.EdgesOf(node))
                {
                    if (!finder._inside.Contains(edge.To))
                    {
                        continue;
                    }

                    if (isWanted(node, edge))
                    {
                        Append(reached, node, edge);
                        return true;
                    }

                    if (edge.To != At && reached.TryAdd(edge.To, (node, edge)))
                    {
                        queue.Enqueue(edge.To);
                    }
                }
            }

            return false;
        }

        private void Append(Dictionary<int, (int From, StateGraph.Edge By)> reached, int node, StateGraph.Edge last)
        {
            var piece = new List<StateGraph.Edge> { last };
            for (; node != At; node = reached[node].From)
            {
                piece.Add(reached[node].By);
            }

            piece.Reverse();
            foreach (StateGraph.Edge edge in piece)
            {
                Steps.Add(edge.Step);
                Tally = Tally.With(edge.Step).With(finder._graph.MasksOf(edge.To));
            }

            At = last.To;
        }
    }
}
