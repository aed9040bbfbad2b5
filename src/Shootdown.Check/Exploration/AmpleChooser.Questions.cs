using System.Numerics;
using System.Runtime.CompilerServices;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>What a choice depends on, and what it asks about programs.</summary>
internal sealed partial class AmpleChooser
{
    /// <summary>
    /// The fingerprint of all that a choice depends on: where the agents stand, who can move, what keeps the others, and the
    /// barriers that are raised with the owners of locks. Many states agree in that.
    /// </summary>
    private void LoadKey(MachineState state, ulong enabled)
    {
        ulong low = enabled;
        ulong high = ~enabled;
        ulong localLow = 0;
        ulong localHigh = 0;
        for (int i = 0; i < _agentList.Length; i++)
        {
            LocalState local = state.LocalOf(i);
            localLow ^= local.HashLow;
            localHigh ^= local.HashHigh;
            if ((enabled & (1UL << i)) != 0 || local.Operation is null)
            {
                _blockedOn[i] = -1;
                continue;
            }

            int word = state.BlockedOn(_agentList[i]);
            _blockedOn[i] = word;
            AddToKey(ref low, ref high, ((ulong)i << 32) | (uint)word);
        }

        for (int i = 0; i < _barriers.Length; i++)
        {
            ulong value = state.Read(_barriers[i]);
            if (value != 0)
            {
                AddToKey(ref low, ref high, ((ulong)(i + 64) << 32) | (_isLock[i] ? value : 1));
            }
        }

        _keyLow = Hash128.Mix(low) ^ localLow;
        _keyHigh = Hash128.Mix(high) ^ localHigh;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddToKey(ref ulong low, ref ulong high, ulong value)
    {
        low = BitOperations.RotateLeft((low ^ value) * 0x9fb21c651e98df25, 29);
        high = BitOperations.RotateLeft((high ^ value) * 0xc4ceb9fe1a85ec53, 31);
    }

    /// <summary>True if a step conflicts with what an agent outside the set may do before it must wait for the set.</summary>
    private bool MayConflict(int member, int agent)
    {
        ReductionTable.Entry step = _entries[member];
        ReductionTable.Entry other = _entries[agent];
        bool conflicts = _conflicts.MayConflict(step, other, Reliance.Ever);
        for (int i = 0; conflicts && i < _heldCount; i++)
        {
            conflicts = _conflicts.MayConflict(step, other, _held[i]);
        }

        return conflicts;
    }

    private bool MayWrite(int agent, int address)
    {
        bool writes = MayEverWrite(agent, address);
        for (int i = 0; writes && i < _heldCount; i++)
        {
            writes = MayWriteBefore(agent, _held[i], address);
        }

        return writes;
    }

    private bool MayEverWrite(int agent, int address)
    {
        bool writes = _entries[agent].Future.Writes(address);
        if (!writes)
        {
            _reliance.AddNoWrite(_entries[agent], Reliance.Ever, address);
        }

        return writes;
    }

    private bool MayWriteBefore(int agent, int barrier, int address)
    {
        bool writes = _entries[agent].FutureBefore[barrier].Writes(address);
        if (!writes)
        {
            _reliance.AddNoWrite(_entries[agent], barrier, address);
        }

        return writes;
    }

    private bool MayEverWriteWhatTouches(int agent, int member)
    {
        bool writes = _entries[agent].Future.WritesWhatTouches(_entries[member].Operation);
        if (!writes)
        {
            _reliance.AddNoWriteOfTouched(_entries[agent], _entries[member]);
        }

        return writes;
    }
}
