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
    private ulong _sticky;

    /// <summary>The agents to move; all enabled ones if there is no smaller set.</summary>
    /// <param name="state">The state.</param>
    /// <param name="enabled">The agents that can move.</param>
    internal ulong Choose(MachineState state, ulong enabled)
    {
        if (BitOperations.PopCount(enabled) < 2)
        {
            return enabled;
        }

        Load(state, enabled);
        ulong best = enabled;
        int bestCount = BitOperations.PopCount(enabled);
        for (ulong rest = enabled & ~_sticky; rest != 0; rest &= rest - 1)
        {
            int seed = BitOperations.TrailingZeroCount(rest);
            ulong movable = Close(state, 1UL << seed, bestCount);
            int count = BitOperations.PopCount(movable);
            if (movable != 0 && count < bestCount)
            {
                best = movable;
                bestCount = count;
                if (count == 1)
                {
                    break;
                }
            }
        }

        return best;
    }

    private void Load(MachineState state, ulong enabled)
    {
        _enabled = enabled;
        _sticky = 0;
        for (int i = 0; i < _agents; i++)
        {
            LocalState local = state.LocalOf(i);
            _entries[i] = table.Of(local);
            if (table.IsSticky(local))
            {
                _sticky |= 1UL << i;
            }

            _blockedOn[i] = (enabled & (1UL << i)) != 0 ? -1 : state.BlockedOn(machine.Agents[i]);
        }
    }

    /// <summary>The enabled agents of the closure; 0 if it has a loop head or is not smaller than the best so far.</summary>
    private ulong Close(MachineState state, ulong set, int bestCount)
    {
        while (true)
        {
            if ((set & _enabled & _sticky) != 0 || BitOperations.PopCount(set & _enabled) >= bestCount)
            {
                return 0;
            }

            int held = HeldLock(state, set);
            ulong add = 0;
            for (int member = 0; member < _agents; member++)
            {
                if ((set & (1UL << member)) != 0)
                {
                    add |= Needed(set | add, member, held);
                }
            }

            if (add == 0)
            {
                return set & _enabled;
            }

            set |= add;
        }
    }

    /// <summary>Agents outside the set that must join because of one member.</summary>
    private ulong Needed(ulong set, int member, int held)
    {
        ulong add = 0;
        bool isEnabled = (_enabled & (1UL << member)) != 0;
        Footprint step = _entries[member].Operation;
        for (int other = 0; other < _agents; other++)
        {
            ulong bit = 1UL << other;
            if (((set | add) & bit) != 0)
            {
                continue;
            }

            if (isEnabled)
            {
                if (step.ConflictsWith(FutureOf(other, held)) && !IsFrozen(set | add, other, held))
                {
                    add |= bit;
                }
            }
            else if (_entries[member].IsEnded)
            {
                return 0;
            }
            else if (_blockedOn[member] < 0
                ? FutureOf(other, held).WritesWhatTouches(step)
                : FutureOf(other, held).Writes(_blockedOn[member]))
            {
                add |= bit;
            }
        }

        return add;
    }

    /// <summary>True if an agent outside the set cannot move until the set does.</summary>
    private bool IsFrozen(ulong set, int agent, int held)
    {
        if ((_enabled & (1UL << agent)) != 0 || _blockedOn[agent] < 0)
        {
            return false;
        }

        for (int other = 0; other < _agents; other++)
        {
            if (other != agent && (set & (1UL << other)) == 0 && FutureOf(other, held).Writes(_blockedOn[agent]))
            {
                return false;
            }
        }

        return true;
    }

    private Footprint FutureOf(int agent, int held) => held < 0 ? _entries[agent].Future : _entries[agent].FutureBefore[held];

    /// <summary>Index of a lock that a member of the set holds and no enabled step of the set releases, or -1.</summary>
    private int HeldLock(MachineState state, ulong set)
    {
        if (!_locksHold)
        {
            return -1;
        }

        foreach (int word in machine.LockWords)
        {
            ulong owner = state.Read(word);
            if (owner == 0)
            {
                continue;
            }

            bool memberOwns = false;
            bool mayBeReleased = false;
            for (int i = 0; i < _agents; i++)
            {
                bool isMember = (set & (1UL << i)) != 0;
                if (machine.Agents[i] is { Cpu: { } cpu, Kind: AgentKind.Task } && (ulong)cpu.Index + 1 == owner)
                {
                    memberOwns |= isMember;
                }

                int releases = state.LocalOf(i).Operation?.ReleasesLock ?? -1;
                mayBeReleased |= isMember ? releases == word : Owns(i, owner) && _entries[i].FutureBefore[table.IndexOfLock(word)].Writes(word);
            }

            if (memberOwns && !mayBeReleased)
            {
                return table.IndexOfLock(word);
            }
        }

        return -1;
    }

    private bool Owns(int agent, ulong owner) => machine.Agents[agent].Cpu is { } cpu && (ulong)cpu.Index + 1 == owner;
}
