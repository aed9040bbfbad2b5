using System.Numerics;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// Chooses which agents to move in a state: a set such that nothing that the others do before one of the set moves can
/// interfere with the set's next steps (a persistent set: Godefroid 1996; Valmari's stubborn sets 1990). One a worker thread.
/// </summary>
/// <remarks>
/// <para>Start from one agent. Add every agent outside the set that may, as far as its program is known, touch what an enabled
/// step of the set touches before the set moves. An agent does not get past the acquisition of a lock that the set
/// holds, nor out of a wait whose word only members of the set can change. For a blocked member, add whoever may change the
/// word that it waits for. Repeat until nothing is added.</para>
/// <para>A chosen set never contains an enabled agent at a loop head (<see cref="ReductionTable.IsSticky"/>), so that every cycle
/// has a state in which all agents are moved and none is ignored for ever.</para>
/// </remarks>
internal sealed class AmpleChooser(MachineModel machine, ReductionTable table)
{
    private readonly int _agents = machine.Agents.Count;
    private readonly ReductionTable.Entry[] _entries = new ReductionTable.Entry[machine.Agents.Count];
    private readonly bool _locksHold = machine.Options.Model == MemoryModelKind.Sc;
    private readonly int[] _blockedOn = new int[machine.Agents.Count];
    private ulong _enabled;
    private readonly int[] _lockWords = [.. machine.LockWords];
    private readonly int[] _lockOwner = new int[machine.LockWords.Count];
    private readonly int[] _taskOf = [.. machine.Cpus.Select(cpu => OnlyTaskOf(machine, cpu))];
    private readonly ulong _all = machine.Agents.Count == 64 ? ulong.MaxValue : (1UL << machine.Agents.Count) - 1;
    private ulong _observers;
    private ulong _sticky;
    private ulong _blocked;
    private ulong _blockedOwners;

    /// <summary>The agents to move; all enabled ones if there is no smaller set. Observers are never part of it.</summary>
    /// <param name="state">The state.</param>
    /// <param name="enabled">The agents that can move, observers included.</param>
    /// <param name="observers">The agents whose operation only judges.</param>
    /// <param name="isReduced">True if the set is persistent and meets no loop head.</param>
    internal ulong Choose(MachineState state, ulong enabled, ulong observers, out bool isReduced)
    {
        Load(state, enabled, observers);
        ulong movers = enabled & ~observers;
        ulong best = movers;
        isReduced = BitOperations.PopCount(movers) == 1 && (movers & _sticky) == 0;
        int bestCount = BitOperations.PopCount(movers);
        for (ulong rest = movers & ~_sticky; rest != 0 && bestCount > 1; rest &= rest - 1)
        {
            int seed = BitOperations.TrailingZeroCount(rest);
            ulong movable = Close((1UL << seed) | _blockedOwners, bestCount);
            int count = BitOperations.PopCount(movable);
            if (movable != 0 && count < bestCount)
            {
                best = movable;
                bestCount = count;
                isReduced = true;
            }
        }

        return best;
    }

    private void Load(MachineState state, ulong enabled, ulong observers)
    {
        _enabled = enabled;
        _observers = observers;
        _sticky = 0;
        _blocked = 0;
        for (int i = 0; i < _agents; i++)
        {
            LocalState local = state.LocalOf(i);
            _entries[i] = table.Of(local);
            ulong bit = 1UL << i;
            _sticky |= table.IsSticky(local) ? bit : 0;
            _blockedOn[i] = (enabled & bit) != 0 ? -1 : state.BlockedOn(machine.Agents[i]);
            _blocked |= _blockedOn[i] >= 0 || _entries[i].IsEnded ? bit : 0;
        }

        _blockedOwners = 0;
        for (int i = 0; i < _lockWords.Length; i++)
        {
            ulong owner = _locksHold ? state.Read(_lockWords[i]) : 0;
            _lockOwner[i] = -1;
            if (owner == 0 || _taskOf[owner - 1] < 0)
            {
                continue;
            }

            int task = _taskOf[owner - 1];
            _lockOwner[i] = task;
            _blockedOwners |= ~enabled & (1UL << task);
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

            int held = HeldLock(set);
            ulong frozen = Frozen(set, held);
            ulong add = 0;
            for (ulong rest = set; rest != 0; rest &= rest - 1)
            {
                add |= Needed(set | add | frozen, BitOperations.TrailingZeroCount(rest), held);
            }

            if (add == 0)
            {
                return movers;
            }

            set |= add;
        }
    }

    /// <summary>Agents that must join because of one member; those in the set already or frozen are not looked at.</summary>
    private ulong Needed(ulong excluded, int member, int held)
    {
        if (_entries[member].IsEnded)
        {
            return 0;
        }

        ulong add = 0;
        bool isEnabled = (_enabled & (1UL << member)) != 0;
        int blockedOn = _blockedOn[member];
        Footprint step = _entries[member].Operation;
        for (ulong rest = _all & ~excluded; rest != 0; rest &= rest - 1)
        {
            int other = BitOperations.TrailingZeroCount(rest);
            Footprint future = FutureOf(other, held);
            bool joins = isEnabled ? step.ConflictsWith(future)
                : blockedOn < 0 ? future.WritesWhatTouches(step)
                : future.Writes(blockedOn);
            add |= joins ? 1UL << other : 0;
        }

        return add;
    }

    /// <summary>
    /// Agents outside the set that cannot move before the set does: each waits for a word that only the set or other frozen
    /// agents can change (greatest fixpoint).
    /// </summary>
    private ulong Frozen(ulong set, int held)
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

                for (ulong others = _all & ~set & ~frozen; others != 0; others &= others - 1)
                {
                    if (FutureOf(BitOperations.TrailingZeroCount(others), held).Writes(_blockedOn[agent]))
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

    private Footprint FutureOf(int agent, int held) => held < 0 ? _entries[agent].Future : _entries[agent].FutureBefore[held];

    /// <summary>
    /// Index of a lock that a member of the set holds, or -1: until the set moves, nobody else gets past taking it. Not used
    /// if another agent might write the lock's word without taking it first.
    /// </summary>
    private int HeldLock(ulong set)
    {
        for (int i = 0; i < _lockWords.Length; i++)
        {
            if (_lockOwner[i] < 0 || (set & (1UL << _lockOwner[i])) == 0)
            {
                continue;
            }

            bool mayBeReleased = false;
            for (ulong rest = _all & ~set; rest != 0 && !mayBeReleased; rest &= rest - 1)
            {
                mayBeReleased = _entries[BitOperations.TrailingZeroCount(rest)].FutureBefore[i].Writes(_lockWords[i]);
            }

            if (!mayBeReleased)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>The task of a CPU; -1 if it has several, so that a lock's owner is not known.</summary>
    private static int OnlyTaskOf(MachineModel machine, Cpu cpu)
    {
        int[] tasks = [.. machine.Agents.Where(agent => agent.Kind == AgentKind.Task && agent.Cpu == cpu).Select(agent => agent.Index)];
        return tasks.Length == 1 ? tasks[0] : -1;
    }
}
