using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// What every agent may still touch from each of its local states, learned while its program is run: the union of the
/// footprints of all operations that are reachable in the program as known so far, and the same without passing
/// an operation that waits for a given barrier word (a lock, an acknowledgement). Grows only; an exploration counts only if
/// nothing grew while it ran on which it relied.
/// </summary>
public sealed class ReductionTable
{
    private readonly MachineModel _machine;
    private readonly Lock _gate = new();
    private readonly int[] _barriers;
    private Entry?[] _entries = new Entry?[256];
    private HashSet<LocalState> _sticky = [];

    /// <summary>Watches a machine's programs.</summary>
    public ReductionTable(MachineModel machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        _machine = machine;
        _barriers = [.. machine.BarrierWords];
        for (int id = 0; id < machine.LocalStates.Count; id++)
        {
            EntryOf(machine.LocalStates[id]);
        }

        for (int id = 0; id < machine.LocalStates.Count; id++)
        {
            foreach ((_, LocalState next) in machine.LocalStates[id].Successors)
            {
                Connect(machine.LocalStates[id], next);
            }
        }

        machine.LocalStates.EdgeDiscovered = (from, _, to) => Connect(from, to);
    }

    /// <summary>How often something was learned since <see cref="BeginPass"/>.</summary>
    public int GrowthCount { get; private set; }

    /// <summary>Starts an exploration: computes where loops must be expanded fully and forgets that anything grew.</summary>
    public void BeginPass()
    {
        foreach (LocalState local in _sticky)
        {
            Of(local).IsSticky = false;
        }

        _sticky = FindSticky();
        foreach (LocalState local in _sticky)
        {
            Of(local).IsSticky = true;
        }

        GrowthCount = 0;
    }

    /// <summary>True if loops are expanded where they would be now.</summary>
    internal bool LoopHeadsStand() => FindSticky().SetEquals(_sticky);

    /// <summary>Addresses of the barrier words, by index.</summary>
    internal IReadOnlyList<int> Barriers => _barriers;

    /// <summary>The entry of a local state; every local state that was reached has one.</summary>
    internal Entry Of(LocalState local)
    {
        Entry?[] entries = _entries;
        return (local.Id < entries.Length ? entries[local.Id] : null) ?? EntryUnderLock(local);
    }

    private Entry EntryUnderLock(LocalState local)
    {
        lock (_gate)
        {
            return EntryOf(local);
        }
    }

    private Entry EntryOf(LocalState local)
    {
        if (local.Id >= _entries.Length)
        {
            Array.Resize(ref _entries, Math.Max(local.Id + 1, _entries.Length * 2));
        }

        return _entries[local.Id] ??= new Entry(_machine, local, _barriers);
    }

    private void Connect(LocalState from, LocalState to)
    {
        lock (_gate)
        {
            Entry source = EntryOf(from);
            Entry target = EntryOf(to);
            target.Predecessors.Add(source);
            var work = new Stack<(Entry Source, Entry Target)>();
            work.Push((source, target));
            while (work.TryPop(out (Entry Source, Entry Target) edge))
            {
                if (edge.Source.Absorb(edge.Target))
                {
                    GrowthCount++;
                    foreach (Entry predecessor in edge.Source.Predecessors)
                    {
                        work.Push((predecessor, edge.Source));
                    }
                }
            }
        }
    }

    /// <summary>
    /// A set of local states that meets every cycle of every program that can run for ever by itself: the targets of the
    /// back edges of a depth-first search in the order of fingerprints, which does not depend on discovery.
    /// </summary>
    private HashSet<LocalState> FindSticky()
    {
        var sticky = new HashSet<LocalState>();
        var state = new Dictionary<LocalState, bool>();
        var stack = new Stack<(LocalState Local, IEnumerator<LocalState> Next)>();
        foreach (Agent agent in _machine.Agents)
        {
            if (agent.Kind is AgentKind.Interrupt or AgentKind.Reactive)
            {
                continue;
            }

            Visit(agent.Initial);
            while (stack.TryPeek(out (LocalState Local, IEnumerator<LocalState> Next) top))
            {
                if (!top.Next.MoveNext())
                {
                    state[top.Local] = false;
                    stack.Pop();
                }
                else if (!state.TryGetValue(top.Next.Current, out bool onStack))
                {
                    Visit(top.Next.Current);
                }
                else if (onStack)
                {
                    sticky.Add(top.Next.Current);
                }
            }
        }

        return sticky;

        void Visit(LocalState local)
        {
            state[local] = true;
            stack.Push((local, local.Successors.Select(edge => edge.Next)
                .OrderBy(next => next.HashHigh).ThenBy(next => next.HashLow).ToList().GetEnumerator()));
        }
    }

    /// <summary>The footprints of one local state.</summary>
    internal sealed class Entry
    {
        private readonly bool[] _waitsFor;
        private readonly bool _isLocal;

        internal Entry(MachineModel machine, LocalState local, int[] barriers)
        {
            Id = local.Id;
            _isLocal = local.IsLocalStep;
            IsEnded = local.Operation is null;
            Operation = new Footprint(machine.WordCount);
            local.Operation?.AddFootprint(Operation);
            _waitsFor = [.. barriers.Select(word => local.Operation?.WaitsForZero(word) ?? false)];
            Future = FutureOf(machine, local);
            FutureBefore = [.. _waitsFor.Select(waits => waits ? new Footprint(machine.WordCount) : FutureOf(machine, local))];
        }

        /// <summary>The local state's number.</summary>
        internal int Id { get; }

        /// <summary>How often <see cref="Operation"/> grew.</summary>
        internal int OperationGrowth { get; private set; }

        /// <summary>What the pending operation, and the local ones that are taken in the same step, may touch.</summary>
        internal Footprint Operation { get; }

        /// <summary>What the program may touch from here on.</summary>
        internal Footprint Future { get; }

        /// <summary>The same for the part of the program before it waits for a barrier, by index of the barrier.</summary>
        internal Footprint[] FutureBefore { get; }

        /// <summary>True at a loop head, where the pass expands everything.</summary>
        internal bool IsSticky { get; set; }

        /// <summary>True if the program has ended.</summary>
        internal bool IsEnded { get; }

        internal HashSet<Entry> Predecessors { get; } = [];

        internal bool Absorb(Entry next)
        {
            bool grew = Future.UnionWith(next.Future);
            if (next._isLocal && Operation.UnionWith(next.Operation))
            {
                OperationGrowth++;
                grew = true;
            }

            for (int i = 0; i < FutureBefore.Length; i++)
            {
                if (!_waitsFor[i])
                {
                    grew |= FutureBefore[i].UnionWith(next.FutureBefore[i]);
                }
            }

            return grew;
        }

        /// <summary>
        /// A task's future reads the word that says whether its CPU handles an interrupt: taking one stops the task. Its own next
        /// step does not: it can be moved before the interrupt if it touches nothing that the handler touches.
        /// </summary>
        private Footprint FutureOf(MachineModel machine, LocalState local)
        {
            var future = new Footprint(machine.WordCount);
            future.UnionWith(Operation);
            if (local is { Operation: not null, Agent: { Kind: AgentKind.Task, Cpu: { } cpu } })
            {
                future.Read(cpu.InInterruptAddress);
            }
            else if (local is { Operation: not null, Agent.IsMovable: true })
            {
                future.ReadAll([.. machine.Cpus.Select(any => any.InInterruptAddress)]);
            }

            return future;
        }
    }
}
