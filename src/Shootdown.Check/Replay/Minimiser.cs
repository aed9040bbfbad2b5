using System.Diagnostics;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// Finds a run into a violation of the same property with the fewest context switches and then the fewest steps: a
/// uniform-cost search over (state, CPU that moved last), without reduction. If it would visit too many states, the given
/// run is shortened step by step instead.
/// </summary>
public sealed class Minimiser
{
    private readonly CheckModel _model;
    private readonly int _statesMax;
    private readonly CheckOptions _options;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<Node> _nodes = [];
    private readonly PriorityQueue<int, (int Switches, int Length)> _queue = new();
    private readonly HashSet<(ulong Low, ulong High, int Place)> _closed = [];

    private Minimiser(CheckModel model, CheckOptions options)
    {
        _model = model;
        _options = options;
        _statesMax = options.MinimiserStatesMax;
    }

    /// <summary>Returns the shortest run found and whether it is proved minimal.</summary>
    public static (IReadOnlyList<Step> Path, bool IsMinimal) Minimise(
        CheckModel model, IReadOnlyList<Step> path, Violation violation, CheckOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(violation);
        ArgumentNullException.ThrowIfNull(options);
        var minimiser = new Minimiser(model, options);
        return minimiser.Search(violation.PropertyId) is { } best ? (best, true) : (minimiser.Shorten(path, violation), false);
    }

    /// <summary>Changes of the acting CPU along a run; a CPU's interrupts and store buffer count as the CPU.</summary>
    public static int ContextSwitches(MachineModel machine, IReadOnlyList<Step> path)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(path);
        int switches = 0;
        for (int i = 1; i < path.Count; i++)
        {
            switches += Place(machine, path[i].Agent) != Place(machine, path[i - 1].Agent) ? 1 : 0;
        }

        return switches;
    }

    private static int Place(MachineModel machine, int agent) => machine.Agents[agent].Cpu?.Index ?? 64 + agent;

    /// <summary>Uniform-cost search: the first violation that is taken off the queue has the least cost.</summary>
    private List<Step>? Search(string property)
    {
        var state = new MachineState(_model.Machine) { CountsJudgements = false };
        StepRunner.RunPrologues(state);
        _nodes.Add(new Node(-1, default, 0, 0, PackedState.Pack(state), false));
        _queue.Enqueue(0, (0, 0));
        while (_queue.TryDequeue(out int at, out _))
        {
            Node node = _nodes[at];
            if (node.Violates)
            {
                return PathOf(at);
            }

            node.State!.Unpack(state);
            if (node.Parent < 0 || _closed.Add((state.HashLow, state.HashHigh, Place(_model.Machine, node.Step.Agent))))
            {
                Expand(at, state, property);
            }

            _nodes[at] = node with { State = null };
            if (_closed.Count > _statesMax || _options.Cancellation.IsCancellationRequested
                || (_options.Time is { } time && _clock.Elapsed > time))
            {
                return null;
            }
        }

        return null;
    }

    /// <summary>Queues the successors of the state that is loaded.</summary>
    private void Expand(int at, MachineState state, string property)
    {
        Node node = _nodes[at];
        bool canMove = false;
        foreach (Agent agent in _model.Machine.Agents)
        {
            int place = Place(_model.Machine, agent.Index);
            int switches = node.Switches + (node.Parent >= 0 && Place(_model.Machine, node.Step.Agent) != place ? 1 : 0);
            int alternatives = state.AlternativesOf(agent);
            canMove |= alternatives > 0 && agent.Kind != AgentKind.Hardware;
            long mark = state.UndoMark;
            for (int alternative = 0; alternative < alternatives; alternative++)
            {
                StepRunner.Step(state, agent.Index, alternative);
                Violation? violation = state.Violation;
                state.Violation = null;
                bool violates = violation?.PropertyId == property;
                if (violates || (violation is null && !_closed.Contains((state.HashLow, state.HashHigh, place))))
                {
                    Push(at, new Step((byte)agent.Index, (ushort)alternative), switches, violates, state);
                }

                state.UndoTo(mark);
            }
        }

        if (!canMove && FinalJudge.Judge(state)?.PropertyId == property)
        {
            _nodes.Add(node with { State = null, Violates = true });
            _queue.Enqueue(_nodes.Count - 1, (node.Switches, node.Length));
        }
    }

    private void Push(int parent, Step step, int switches, bool violates, MachineState state)
    {
        int length = _nodes[parent].Length + 1;
        _nodes.Add(new Node(parent, step, switches, length, violates ? null : PackedState.Pack(state), violates));
        _queue.Enqueue(_nodes.Count - 1, (switches, length));
    }

    private List<Step> PathOf(int at)
    {
        var path = new List<Step>();
        for (; _nodes[at].Parent >= 0; at = _nodes[at].Parent)
        {
            path.Add(_nodes[at].Step);
        }

        path.Reverse();
        return path;
    }

    /// <summary>Drops steps as long as the rest still runs into the violation.</summary>
    private List<Step> Shorten(IReadOnlyList<Step> path, Violation violation)
    {
        List<Step> best = [.. path];
        for (int size = Math.Max(1, best.Count / 2); size >= 1; size /= 2)
        {
            for (int start = best.Count - size; start >= 0; start -= size)
            {
                List<Step> shorter = [.. best[..start], .. best[(start + size)..]];
                if (Reaches(shorter, violation))
                {
                    best = shorter;
                }
            }
        }

        return best;
    }

    private bool Reaches(List<Step> steps, Violation violation)
    {
        try
        {
            return Replayer.Run(_model, steps)?.PropertyId == violation.PropertyId;
        }
        catch (ScheduleException)
        {
            return false;
        }
    }

    private sealed record Node(int Parent, Step Step, int Switches, int Length, PackedState? State, bool Violates);
}
