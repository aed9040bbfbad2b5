namespace Shootdown.Machine;

/// <summary>
/// Where an agent stands in its program: its suspended stack and the operation it asks for. Equal local states are
/// one object, and what follows each result is remembered, so that kernel code runs once for every (local state,
/// result) and the explorer's inner loop runs none at all.
/// </summary>
public sealed class LocalState
{
    /// <summary>One reference, replaced as a whole: other threads read it while it grows.</summary>
    private (long Result, LocalState Next)[] _successors = [];
    private Dictionary<long, int[]>? _calls;

    internal LocalState(Agent agent, int id, Hash128 hash, ProcStack? stack, Operation? operation)
    {
        Agent = agent;
        Id = id;
        HashLow = unchecked((ulong)hash.Low);
        HashHigh = unchecked((ulong)hash.High);
        Stack = stack;
        Operation = operation;
    }

    /// <summary>The agent whose local state this is.</summary>
    public Agent Agent { get; }

    /// <summary>Number in order of discovery over all agents of the machine, from 0.</summary>
    public int Id { get; }

    /// <summary>The operation that the agent asks for; null when its program has ended.</summary>
    public Operation? Operation { get; }

    /// <summary>True if the operation touches nothing that another agent can notice.</summary>
    public bool IsLocalStep => Operation is { IsLocal: true };

    /// <summary>Low half of the fingerprint of (agent, stack).</summary>
    public ulong HashLow { get; }

    /// <summary>High half of the fingerprint of (agent, stack).</summary>
    public ulong HashHigh { get; }

    internal ProcStack? Stack { get; }

    /// <summary>Known results of the operation with the local states that follow; a snapshot.</summary>
    public IEnumerable<(long Result, LocalState Next)> Successors => _successors;

    /// <summary>The local state after the operation returned a result. Runs kernel code only the first time.</summary>
    public LocalState Next(long result)
    {
        foreach ((long known, LocalState next) in _successors)
        {
            if (known == result)
            {
                return next;
            }
        }

        return Agent.Machine.LocalStates.Discover(this, result);
    }

    /// <summary>
    /// The kernel functions on the stack, outermost first, as the kernel spells them. An override and what it overrides are
    /// one function.
    /// </summary>
    public IReadOnlyList<string> CallStack()
    {
        var names = new List<string>();
        Type? inner = null;
        for (ProcStack? node = Stack; node is not null; node = node.Caller)
        {
            Type frame = node.Frame.StateMachineType;
            string name = KernelNames.OfFrame(frame);
            bool isOverride = names.Count > 0 && names[^1] == name && inner != frame;
            if (name.Length > 0 && !isOverride)
            {
                names.Add(name);
            }

            inner = frame;
        }

        names.Reverse();
        return names;
    }

    /// <summary>The counters of functions that are called between the operation's result and the next operation; null for none.</summary>
    internal int[]? CallsOf(long result)
    {
        Dictionary<long, int[]>? calls = _calls;
        return calls is not null && calls.TryGetValue(result, out int[]? counters) ? counters : null;
    }

    /// <summary>Adds a successor; called with the table's lock held, read without it.</summary>
    internal void AddSuccessor(long result, LocalState next, int[]? calls)
    {
        if (calls is not null)
        {
            // A new table, because others may read the old one; before the successor, which they look up first.
            _calls = new Dictionary<long, int[]>(_calls ?? []) { [result] = calls };
        }

        Volatile.Write(ref _successors, [.. _successors, (result, next)]);
    }
}
