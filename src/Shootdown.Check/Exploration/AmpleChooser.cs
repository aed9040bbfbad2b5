using System.Numerics;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// Chooses which agents to move in a state: a set such that nothing that the others do before one of the set moves can
/// interfere with the set's next steps (a persistent set: Godefroid 1996; Valmari's stubborn sets 1990). One a worker thread.
/// </summary>
/// <remarks>
/// <para>Start from one agent. Add every agent outside the set that may, as far as its program is known, touch what an enabled
/// step of the set touches before the set moves. An agent does not get past a barrier (a lock, an
/// acknowledgement) that only the set can lower, nor out of a wait whose word only members of the set can change. For a blocked member, add whoever may change the
/// word that it waits for. Repeat until nothing is added.</para>
/// <para>Choices are remembered for the pass, and so is what they rely on: that some program will not touch something. If all of that
/// still holds when the pass ends, then each choice would be made again, whatever was learned meanwhile (<see cref="ChoicesStand"/>).</para>
/// <para>A chosen set never contains an enabled agent at a loop head (<see cref="ReductionTable.Entry.IsSticky"/>), so that every cycle
/// has a state in which all agents are moved and none is ignored for ever.</para>
/// </remarks>
internal sealed partial class AmpleChooser
{
    private readonly bool _remembers;
    private readonly ReductionTable _table;
    private readonly Agent[] _agentList;
    private readonly ChoiceMemory _known = new();
    private readonly int _agents;
    private readonly ReductionTable.Entry[] _entries;
    private readonly int[] _blockedOn;
    private readonly Reliance _reliance;
    private readonly ConflictMemory _conflicts;
    private readonly ulong[] _writers;
    private readonly int[] _barriers;
    private readonly bool[] _isLock;
    private readonly int[] _raised;
    private readonly int[] _held;
    private readonly int[] _taskOf;
    private readonly ulong _all;
    private readonly ulong _interrupts;
    private ulong _enabled;
    private ulong _keyLow;
    private ulong _keyHigh;
    private int _raisedCount;
    private int _heldCount;
    private ulong _observers;
    private ulong _sticky;
    private ulong _blocked;
    private ulong _blockedOwners;

    /// <summary>A chooser for one pass.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="table">What its programs may touch.</param>
    /// <param name="remembers">False to choose anew every time.</param>
    internal AmpleChooser(MachineModel machine, ReductionTable table, bool remembers)
    {
        _remembers = remembers;
        _table = table;
        _reliance = new Reliance(machine, table);
        _conflicts = new ConflictMemory(table, _reliance);
        _agentList = [.. machine.Agents];
        _agents = machine.Agents.Count;
        _entries = new ReductionTable.Entry[machine.Agents.Count];
        _blockedOn = new int[machine.Agents.Count];
        _writers = new ulong[machine.Agents.Count];
        _barriers = [.. table.Barriers];
        _isLock = [.. table.Barriers.Select(machine.IsLockWord)];
        _raised = new int[table.Barriers.Count];
        _held = new int[table.Barriers.Count];
        _taskOf = [.. machine.Cpus.Select(cpu => OnlyTaskOf(machine, cpu))];
        _all = machine.Agents.Count == 64 ? ulong.MaxValue : (1UL << machine.Agents.Count) - 1;
        _interrupts = InterruptsOf(machine);
    }

    /// <summary>The agents to move; all enabled ones if there is no smaller set. Observers are never part of it.</summary>
    /// <param name="state">The state.</param>
    /// <param name="enabled">The agents that can move, observers included.</param>
    /// <param name="observers">The agents whose operation only judges.</param>
    /// <param name="isReduced">True if the set is persistent and meets no loop head.</param>
    internal ulong Choose(MachineState state, ulong enabled, ulong observers, out bool isReduced)
    {
        LoadKey(state, enabled);
        if (_known.TryGet(_keyLow, _keyHigh, out ulong known, out isReduced) && _remembers)
        {
            return known;
        }

        Load(state, enabled, observers);
        ulong chosen = ChooseNew(enabled & ~observers, out isReduced);
        if (_remembers)
        {
            _known.Add(_keyLow, _keyHigh, chosen, isReduced);
        }

        return chosen;
    }

    private ulong ChooseNew(ulong movers, out bool isReduced)
    {
        ulong best = movers;
        isReduced = BitOperations.PopCount(movers) == 1 && (movers & _sticky) == 0;
        int bestCount = BitOperations.PopCount(best);
        isReduced |= TrySeeds(movers & _interrupts, 0, ref best, ref bestCount)
            | TrySeeds(movers & ~_interrupts, 0, ref best, ref bestCount)
            | (_blockedOwners != 0 && TrySeeds(movers, _blockedOwners, ref best, ref bestCount));
        return best;
    }

    /// <summary>
    /// True if every choice of the pass would be made again with what is known now. Programs can only turn out to touch more: a set that
    /// was too large stays so.
    /// </summary>
    internal bool ChoicesStand() => _reliance.Holds();

    /// <summary>Closes a set around every seed (handlers that run come first: they end soon) and keeps the smallest.</summary>
    private bool TrySeeds(ulong seeds, ulong companions, ref ulong best, ref int bestCount)
    {
        bool improved = false;
        for (ulong rest = seeds & ~_sticky; rest != 0 && bestCount > 1; rest &= rest - 1)
        {
            ulong movable = Close((rest & (~rest + 1)) | companions, bestCount);
            if (movable != 0)
            {
                best = movable;
                bestCount = BitOperations.PopCount(movable);
                improved = true;
            }
        }

        return improved;
    }

    private void Load(MachineState state, ulong enabled, ulong observers)
    {
        _enabled = enabled;
        _observers = observers;
        _sticky = 0;
        _blocked = 0;
        for (int i = 0; i < _agents; i++)
        {
            _entries[i] = _table.Of(state.LocalOf(i));
            ulong bit = 1UL << i;
            _sticky |= _entries[i].IsSticky ? bit : 0;
            _blocked |= _blockedOn[i] >= 0 || _entries[i].IsEnded ? bit : 0;
        }

        for (ulong rest = _blocked; rest != 0; rest &= rest - 1)
        {
            int agent = BitOperations.TrailingZeroCount(rest);
            _writers[agent] = 0;
            for (int other = 0; other < _agents && _blockedOn[agent] >= 0; other++)
            {
                _writers[agent] |= other != agent && MayEverWrite(other, _blockedOn[agent]) ? 1UL << other : 0;
            }
        }

        _blockedOwners = 0;
        _raisedCount = 0;
        for (int i = 0; i < _barriers.Length; i++)
        {
            ulong value = state.Read(_barriers[i]);
            if (value == 0)
            {
                continue;
            }

            _raised[_raisedCount++] = i;
            if (_isLock[i] && _taskOf[value - 1] >= 0)
            {
                _blockedOwners |= ~enabled & (1UL << _taskOf[value - 1]);
            }
        }
    }

    /// <summary>The enabled agents of the closure; 0 if it has a loop head or is not smaller than the best so far.</summary>
    private ulong Close(ulong set, int bestCount)
    {
        while (true)
        {
            ulong movers = set & _enabled & ~_observers;
            if ((movers & _sticky) != 0 || BitOperations.PopCount(movers) >= bestCount)
            {
                return 0;
            }

            FindHeld(set);
            ulong frozen = Frozen(set);
            ulong add = 0;
            for (ulong rest = set; rest != 0; rest &= rest - 1)
            {
                add |= Needed(set | add | frozen, BitOperations.TrailingZeroCount(rest));
            }

            if (add == 0)
            {
                return movers;
            }

            set |= add;
        }
    }

    /// <summary>Agents that must join because of one member; those in the set already or frozen are not looked at.</summary>
    private ulong Needed(ulong excluded, int member)
    {
        if (_entries[member].IsEnded)
        {
            return 0;
        }

        ulong add = 0;
        bool isEnabled = (_enabled & (1UL << member)) != 0;
        int blockedOn = _blockedOn[member];
        for (ulong rest = _all & ~excluded; rest != 0; rest &= rest - 1)
        {
            int other = BitOperations.TrailingZeroCount(rest);
            bool joins = isEnabled ? MayConflict(member, other)
                : blockedOn < 0 ? MayEverWriteWhatTouches(other, member)
                : MayWrite(other, blockedOn);
            add |= joins ? 1UL << other : 0;
        }

        return add;
    }

    /// <summary>
    /// Agents outside the set that cannot move before the set does: each waits for a word that only the set or other frozen
    /// agents can change (greatest fixpoint).
    /// </summary>
    private ulong Frozen(ulong set)
    {
        ulong frozen = _blocked & ~set;
        while (true)
        {
            ulong thawed = 0;
            for (ulong rest = frozen; rest != 0; rest &= rest - 1)
            {
                int agent = BitOperations.TrailingZeroCount(rest);
                if (_entries[agent].IsEnded)
                {
                    continue;
                }

                for (ulong others = _writers[agent] & ~set & ~frozen; others != 0; others &= others - 1)
                {
                    if (MayWrite(BitOperations.TrailingZeroCount(others), _blockedOn[agent]))
                    {
                        thawed |= 1UL << agent;
                        break;
                    }
                }
            }

            if (thawed == 0)
            {
                return frozen;
            }

            frozen &= ~thawed;
        }
    }

    /// <summary>
    /// The raised barriers that only the set can lower: nobody outside writes the word before waiting for it, so that until
    /// the set moves nobody gets past.
    /// </summary>
    private void FindHeld(ulong set)
    {
        _heldCount = 0;
        for (int i = 0; i < _raisedCount; i++)
        {
            int barrier = _raised[i];
            bool mayBeLowered = false;
            for (ulong rest = _all & ~set; rest != 0 && !mayBeLowered; rest &= rest - 1)
            {
                mayBeLowered = MayWriteBefore(BitOperations.TrailingZeroCount(rest), barrier, _barriers[barrier]);
            }

            if (!mayBeLowered)
            {
                _held[_heldCount++] = barrier;
            }
        }
    }

    private static ulong InterruptsOf(MachineModel machine)
    {
        ulong interrupts = 0;
        foreach (Agent agent in machine.Agents)
        {
            interrupts |= agent.Kind == AgentKind.Interrupt ? 1UL << agent.Index : 0;
        }

        return interrupts;
    }

    /// <summary>The task of a CPU; -1 if it has several, so that a lock's owner is not known.</summary>
    private static int OnlyTaskOf(MachineModel machine, Cpu cpu)
    {
        int[] tasks = [.. machine.Agents.Where(agent => agent.Kind == AgentKind.Task && agent.Cpu == cpu).Select(agent => agent.Index)];
        return tasks.Length == 1 ? tasks[0] : -1;
    }
}
