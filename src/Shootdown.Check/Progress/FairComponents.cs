namespace Shootdown.Check;

/// <summary>
/// Finds the sets of states in which a fair run can stay for ever: strongly connected components (Tarjan 1972) in which every agent
/// moves or is kept from moving. Exact: some fair run never ends if and only if there is such a set.
/// </summary>
/// <remarks>
/// Weak fairness (an agent that can always move moves) holds of a whole component if it holds of any cycle in it. For strong fairness
/// (locks, interrupts) it does not: if a component has no step of an agent whose turn it would be in some of its states, those states are taken out
/// and the rest is looked at again (Emerson and Lei 1987).
/// </remarks>
internal sealed class FairComponents
{
    private readonly StateGraph _graph;
    private readonly FairAgents _agents;
    private readonly int[] _region;
    private readonly int[] _index;
    private readonly int[] _low;
    private readonly bool[] _onStack;
    private readonly Stack<int> _open = new();
    private readonly Stack<(int Node, int Edge)> _calls = new();
    private readonly List<int[]> _fair = [];
    private int _regions;
    private int _next;

    private FairComponents(StateGraph graph, FairAgents agents)
    {
        _graph = graph;
        _agents = agents;
        _region = new int[graph.Count];
        _index = new int[graph.Count];
        _low = new int[graph.Count];
        _onStack = new bool[graph.Count];
    }

    /// <summary>The sets, each with a program that must end and has not.</summary>
    internal static IReadOnlyList<int[]> Find(StateGraph graph, FairAgents agents)
    {
        var search = new FairComponents(graph, agents);
        foreach (int[] component in search.Split([.. Enumerable.Range(0, graph.Count)]))
        {
            search.Judge(component);
        }

        return search._fair;
    }

    private void Judge(int[] component)
    {
        CycleTally all = TallyOf(component);
        ulong starved = _agents.Fair & all.AlwaysEnabled & ~all.Moved;
        ulong overdue = _agents.Fair & all.EverServed & ~all.Moved;
        if (starved != 0)
        {
            return;
        }

        if (overdue == 0)
        {
            _fair.Add(component);
            return;
        }

        foreach (int[] part in Split([.. component.Where(node => (_graph.MasksOf(node).Served & overdue) == 0)]))
        {
            Judge(part);
        }
    }

    /// <summary>Who could move and who moves in a set of states, by steps that stay inside.</summary>
    private CycleTally TallyOf(int[] component)
    {
        int region = ++_regions;
        foreach (int node in component)
        {
            _region[node] = region;
        }

        CycleTally tally = CycleTally.Empty;
        foreach (int node in component)
        {
            tally = tally.With(_graph.MasksOf(node));
            foreach (StateGraph.Edge edge in _graph.EdgesOf(node))
            {
                tally = _region[edge.To] == region ? tally.With(edge.Step) : tally;
            }
        }

        return tally;
    }

    /// <summary>The components of a set of states that have a cycle and a program in it that must end and has not.</summary>
    private List<int[]> Split(int[] nodes)
    {
        int region = ++_regions;
        foreach (int node in nodes)
        {
            _region[node] = region;
            _index[node] = 0;
        }

        _next = 0;
        var components = new List<int[]>();
        foreach (int root in nodes)
        {
            if (_index[root] == 0)
            {
                Visit(root, region, components);
            }
        }

        return components;
    }

    private void Visit(int root, int region, List<int[]> components)
    {
        Enter(root);
        while (_calls.Count > 0)
        {
            (int node, int edge) = _calls.Pop();
            ReadOnlySpan<StateGraph.Edge> edges = _graph.EdgesOf(node);
            bool descends = false;
            for (; edge < edges.Length && !descends; edge++)
            {
                int to = edges[edge].To;
                if (_region[to] != region)
                {
                    continue;
                }

                if (_index[to] == 0)
                {
                    // Looks at this edge again when the call returns, and takes its low mark then.
                    _calls.Push((node, edge));
                    Enter(to);
                    descends = true;
                }
                else if (_onStack[to])
                {
                    _low[node] = Math.Min(_low[node], _low[to]);
                }
            }

            if (!descends && _low[node] == _index[node])
            {
                Close(node, components);
            }
        }
    }

    private void Enter(int node)
    {
        _index[node] = _low[node] = ++_next;
        _onStack[node] = true;
        _open.Push(node);
        _calls.Push((node, 0));
    }

    private void Close(int root, List<int[]> components)
    {
        var component = new List<int>();
        int node;
        do
        {
            node = _open.Pop();
            _onStack[node] = false;
            component.Add(node);
        }
        while (node != root);
        bool hasCycle = component.Count > 1 || _graph.EdgesOf(root).ToArray().Any(edge => edge.To == root);
        if (hasCycle && (_graph.MasksOf(root).Unfinished & _agents.MustEnd) != 0)
        {
            component.Sort();
            components.Add([.. component]);
        }
    }
}
