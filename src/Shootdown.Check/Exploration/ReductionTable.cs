using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// What every agent may still touch from each of its local states, learned while its program is run: the union of the
/// footprints of all operations that are reachable in the program as known so far, and the same without passing
/// the acquisition of a given lock. Grows only; an exploration counts only if nothing grew while it ran.
/// </summary>
public sealed class ReductionTable
{
    private readonly MachineModel _machine;
    private readonly Dictionary<int, int> _lockIndex = [];
    private Entry?[] _entries = new Entry?[256];
    private HashSet<LocalState> _sticky = [];

    /// <summary>Watches a machine's programs.</summary>
    public ReductionTable(MachineModel machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        _machine = machine;
        foreach (int word in machine.LockWords)
        {
            _lockIndex.Add(word, _lockIndex.Count);
        }

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

        machine.LocalStates.EdgeDiscovered = Connect;
    }

    /// <summary>True if something was learned since <see cref="BeginPass"/> that an earlier choice may have relied on.</summary>
    public bool Grew { get; private set; }

    /// <summary>Starts an exploration: computes where loops must be expanded fully and forgets that anything grew.</summary>
    public void BeginPass()
    {
        _sticky = FindSticky();
        Grew = false;
    }

    /// <summary>True if the pass that ended learned nothing, so that its choices were all sound.</summary>
    public bool PassWasSound() => !Grew && FindSticky().SetEquals(_sticky);

    internal int IndexOfLock(int word) => _lockIndex[word];

    internal bool IsSticky(LocalState local) => _sticky.Contains(local);

    /// <summary>The entry of a local state; every local state that was reached has one.</summary>
    internal Entry Of(LocalState local)
    {
        Entry?[] entries = _entries;
        return (local.Id < entries.Length ? entries[local.Id] : null) ?? EntryUnderLock(local);
    }

    private Entry EntryUnderLock(LocalState local)
    {
        lock (_lockIndex)
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

        return _entries[local.Id] ??= new Entry(_machine, local, _lockIndex);
    }

    private void Connect(LocalState from, LocalState to)
    {
        lock (_lockIndex)
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
                    Grew = true;
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
        private readonly int _acquires;
        private readonly bool _isLocal;

        internal Entry(MachineModel machine, LocalState local, Dictionary<int, int> locks)
        {
            _isLocal = local.IsLocalStep;
            IsEnded = local.Operation is null;
            Operation = new Footprint(machine.WordCount);
            local.Operation?.AddFootprint(Operation);
            if (local is { Operation: not null, Agent: { Kind: AgentKind.Task, Cpu: { } cpu } } && HasInterrupts(machine))
            {
                Operation.Read(cpu.InInterruptAddress);
            }

            _acquires = local.Operation is { AcquiresLock: >= 0 } operation ? locks[operation.AcquiresLock] : -1;
            Future = new Footprint(machine.WordCount);
            Future.UnionWith(Operation);
            FutureBefore = [.. Enumerable.Range(0, locks.Count).Select(index =>
            {
                var future = new Footprint(machine.WordCount);
                if (index != _acquires)
                {
                    future.UnionWith(Operation);
                }

                return future;
            })];
        }

        /// <summary>What the pending operation, and the local ones that are taken in the same step, may touch.</summary>
        internal Footprint Operation { get; }

        /// <summary>What the program may touch from here on.</summary>
        internal Footprint Future { get; }

        /// <summary>The same for the part of the program before it takes a lock, by index of the lock.</summary>
        internal Footprint[] FutureBefore { get; }

        /// <summary>True if the program has ended.</summary>
        internal bool IsEnded { get; }

        internal HashSet<Entry> Predecessors { get; } = [];

        internal bool Absorb(Entry next)
        {
            bool grew = Future.UnionWith(next.Future);
            if (next._isLocal)
            {
                grew |= Operation.UnionWith(next.Operation);
            }

            for (int i = 0; i < FutureBefore.Length; i++)
            {
                if (i != _acquires)
                {
                    grew |= FutureBefore[i].UnionWith(next.FutureBefore[i]);
                }
            }

            return grew;
        }

        private static bool HasInterrupts(MachineModel machine) => machine.Agents.Any(agent => agent.Kind == AgentKind.Interrupt);
    }
}
