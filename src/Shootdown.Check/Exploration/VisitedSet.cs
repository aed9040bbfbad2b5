using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Shootdown.Check;

/// <summary>
/// The set of visited states as 128-bit fingerprints: 64 shards of open addressing, each grown by half when it is
/// four fifths full, so that a state takes 20 to 30 bytes. Safe for concurrent use (a spin bit a shard).
/// </summary>
/// <remarks>
/// Two different states share a fingerprint with probability of about n^2 / 2^129 for n states: below 1e-20 at a
/// billion states. Positions follow the order of fingerprints, so that growing streams through memory.
/// </remarks>
public sealed unsafe class VisitedSet : IDisposable
{
    private const int ShardBits = 6;
    private const int ShardCount = 1 << ShardBits;
    private const ulong InitialSlots = 256;

    private readonly Shard[] _shards = new Shard[ShardCount];
    private readonly bool _concurrent;

    /// <summary>An empty set.</summary>
    /// <param name="concurrent">True if several threads will use it.</param>
    public VisitedSet(bool concurrent)
    {
        _concurrent = concurrent;
        for (int i = 0; i < ShardCount; i++)
        {
            _shards[i] = new Shard();
        }
    }

    /// <summary>Number of fingerprints in the set.</summary>
    public long Count => _shards.Sum(shard => (long)shard.Used);

    /// <summary>Bytes of the tables.</summary>
    public long Bytes => _shards.Sum(shard => (long)shard.Capacity * 16);

    /// <summary>Starts loading the place of a fingerprint into the cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(ulong low, ulong high)
    {
        if (Sse.IsSupported)
        {
            Shard shard = _shards[high >> (64 - ShardBits)];
            Sse.Prefetch0(shard.Slots + (2 * Math.BigMul(low, shard.Capacity, out _)));
        }
    }

    /// <summary>Adds a fingerprint; true if it was not there.</summary>
    public bool Add(ulong low, ulong high)
    {
        // 0 marks an empty slot; the all-zero fingerprint is stored as another one.
        low |= low == 0 ? 1UL : 0;
        Shard shard = _shards[high >> (64 - ShardBits)];
        if (!_concurrent)
        {
            return shard.Add(low, high);
        }

        while (Interlocked.CompareExchange(ref shard.Taken, 1, 0) != 0)
        {
            Thread.SpinWait(8);
        }

        // Release: the slot's two halves are visible before the shard can be taken again.
        bool added = shard.Add(low, high);
        Volatile.Write(ref shard.Taken, 0);
        return added;
    }

    /// <summary>Frees the tables.</summary>
    public void Dispose()
    {
        foreach (Shard shard in _shards)
        {
            shard.Free();
        }
    }

    private sealed class Shard
    {
        internal int Taken;
        internal ulong* Slots;
        internal ulong Capacity;
        internal ulong Used;

        internal Shard() => Allocate(InitialSlots);

        internal bool Add(ulong low, ulong high)
        {
            if (Used * 5 >= Capacity * 4)
            {
                Grow();
            }

            if (!Insert(low, high))
            {
                return false;
            }

            Used++;
            return true;
        }

        internal void Free()
        {
            NativeMemory.AlignedFree(Slots);
            Slots = null;
        }

        private void Allocate(ulong capacity)
        {
            Capacity = capacity;
            Slots = (ulong*)NativeMemory.AlignedAlloc((nuint)(capacity * 16), 64);
            NativeMemory.Clear(Slots, (nuint)(capacity * 16));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private bool Insert(ulong low, ulong high)
        {
            ulong slot = Math.BigMul(low, Capacity, out _);
            while (true)
            {
                ulong* place = Slots + (2 * slot);
                if (place[0] == 0)
                {
                    place[0] = low;
                    place[1] = high;
                    return true;
                }

                if (place[0] == low && place[1] == high)
                {
                    return false;
                }

                slot = slot + 1 == Capacity ? 0 : slot + 1;
            }
        }

        private void Grow()
        {
            ulong* old = Slots;
            ulong oldCapacity = Capacity;
            Allocate(oldCapacity + (oldCapacity / 2));
            for (ulong i = 0; i < oldCapacity; i++)
            {
                if (old[2 * i] != 0)
                {
                    Insert(old[2 * i], old[(2 * i) + 1]);
                }
            }

            NativeMemory.AlignedFree(old);
        }
    }
}
