using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// All reachable states and steps of a model, without reduction: in order of distance from the initial state, each with the step by
/// which it was reached first.
/// </summary>
internal sealed class StateGraph
{
    /// <summary>Rough bytes that a state and a step take: the bound on memory counts with them.</summary>
    private const int StateBytes = 120;
    private const int EdgeBytes = 8;
    private const int LookEvery = 1024;
    private readonly CheckModel _model;
    private readonly CheckOptions _options;
    private readonly Func<double> _elapsedSeconds;
    private readonly List<Node> _nodes = [];
    private readonly List<Edge> _edges = [];
    private readonly Dictionary<(ulong Low, ulong High), int> _numbers = [];
    private readonly Queue<PackedState> _frontier = [];

    private StateGraph(CheckModel model, CheckOptions options, Func<double> elapsedSeconds)
    {
        _model = model;
        _options = options;
        _elapsedSeconds = elapsedSeconds;
    }

    internal int Count => _nodes.Count;

    internal int EdgeCount => _edges.Count;

    internal long Bytes => ((long)_nodes.Count * StateBytes) + ((long)_edges.Count * EdgeBytes);

    /// <summary>Steps from the initial state to the last one that was found.</summary>
    internal int DepthMax => _nodes[^1].Depth;

    /// <summary>States in which no program can move.</summary>
    internal long FinalStates { get; private set; }

    /// <summary>Why it is not complete; null if it is.</summary>
    internal string? Incomplete { get; private set; }

    /// <summary>Finds all states, or as many as the bounds on memory and time allow.</summary>
    /// <param name="model">The model.</param>
    /// <param name="options">Its bounds.</param>
    /// <param name="elapsedSeconds">Wall time since the check began, in seconds.</param>
    internal static StateGraph Explore(CheckModel model, CheckOptions options, Func<double> elapsedSeconds)
    {
        var graph = new StateGraph(model, options, elapsedSeconds);
        try
        {
            graph.Explore();
        }
        catch (BoundExceededException bound)
        {
            graph.Incomplete = bound.Message;
        }

        return graph;
    }

    internal AgentMasks MasksOf(int node) => _nodes[node].Masks;

    /// <summary>Steps from the initial state.</summary>
    internal int DepthOf(int node) => _nodes[node].Depth;

    /// <summary>States in which one of some programs has not ended.</summary>
    internal long CountUnfinished(ulong programs) => _nodes.Count(node => (node.Masks.Unfinished & programs) != 0);

    /// <summary>The steps out of a state.</summary>
    internal ReadOnlySpan<Edge> EdgesOf(int node)
    {
        int start = _nodes[node].FirstEdge;
        int end = node + 1 < _nodes.Count ? _nodes[node + 1].FirstEdge : _edges.Count;
        return System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_edges)[start..end];
    }

    /// <summary>A shortest run to a state.</summary>
    internal List<Step> PathTo(int node)
    {
        var path = new List<Step>();
        for (; _nodes[node].Parent >= 0; node = _nodes[node].Parent)
        {
            path.Add(_nodes[node].Step);
        }

        path.Reverse();
        return path;
    }

    private void Explore()
    {
        var state = new MachineState(_model.Machine) { CountsJudgements = false };
        ulong programs = SearchWorker.ProgramsOf(_model.Machine);
        StepRunner.RunPrologues(state);
        Find(state, -1, default);
        for (int node = 0; node < _nodes.Count && Incomplete is null; node++)
        {
            _frontier.Dequeue().Unpack(state);
            var masks = AgentMasks.Of(state);
            _nodes[node] = _nodes[node] with { FirstEdge = _edges.Count, Masks = masks };
            FinalStates += (masks.Enabled & programs) == 0 ? 1 : 0;
            for (ulong rest = masks.Enabled; rest != 0; rest &= rest - 1)
            {
                Expand(state, node, System.Numerics.BitOperations.TrailingZeroCount(rest));
            }

            if (node % LookEvery == 0)
            {
                Incomplete = WhyStop();
            }
        }
    }

    private void Expand(MachineState state, int node, int agent)
    {
        long mark = state.UndoMark;
        int ways = state.AlternativesOf(_model.Machine.Agents[agent]);
        for (int way = 0; way < ways; way++)
        {
            var step = new Step((byte)agent, (ushort)way);
            StepRunner.Step(state, agent, way);
            if (state.Violation is { } violation)
            {
                throw new InvalidOperationException($"a run violates {violation.PropertyId} that passed before: {violation.Sentence} This is a bug of the checker");
            }

            _edges.Add(new Edge(Find(state, node, step), step));
            state.UndoTo(mark);
        }
    }

    /// <summary>The number of a state; a new one is queued.</summary>
    private int Find(MachineState state, int parent, Step step)
    {
        if (!_numbers.TryGetValue((state.HashLow, state.HashHigh), out int number))
        {
            number = _nodes.Count;
            _numbers.Add((state.HashLow, state.HashHigh), number);
            _nodes.Add(new Node(parent, step, parent < 0 ? 0 : _nodes[parent].Depth + 1, 0, default));
            _frontier.Enqueue(PackedState.Pack(state));
        }

        return number;
    }

    private string? WhyStop()
    {
        double elapsed = _elapsedSeconds();
        _options.Progress?.Report(new CheckProgress("looking for livelocks", Count, EdgeCount, DepthMax, Bytes, elapsed));
        return _options.WhyStop($"the graph of states, which {PProgress.Name} needs,", Bytes, elapsed);
    }

    /// <summary>A step and the state behind it.</summary>
    internal readonly record struct Edge(int To, Step Step);

    private readonly record struct Node(int Parent, Step Step, int Depth, int FirstEdge, AgentMasks Masks);
}
