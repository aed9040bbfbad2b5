using System.Collections.Immutable;
using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>The ring of one address space.</summary>
internal sealed class FlushRingWords : MachineHandle
{
    private readonly ImmutableArray<RingSlot> _slots;

    internal FlushRingWords(MachineModel machine, int mm, int slots)
        : base(machine)
    {
        _slots = [.. Enumerable.Range(mm * slots, slots).Select(slot => new RingSlot(machine, slot))];
        Reserved = machine.NewWord($"ring_reserved[{mm}]", 1);
        Lock = machine.NewSpinLock($"ring_lock[{mm}]");
    }

    /// <summary>The newest generation that was given out; only producers without a lock use it.</summary>
    internal Word Reserved { get; }

    /// <summary>The producers' lock.</summary>
    internal Spinlock Lock { get; }

    /// <summary>The slot of a generation.</summary>
    internal RingSlot At(ulong generation) => _slots[(int)(generation % (ulong)_slots.Length)];
}

/// <summary>A flush in the ring.</summary>
internal sealed class RingSlot : MachineHandle
{
    internal RingSlot(MachineModel machine, int number)
        : base(machine)
    {
        Generation = machine.NewWord($"ring[{number}].tlb_gen");
        Info = machine.NewWord($"ring[{number}].info");
        Wide = machine.Timed is null ? null : machine.NewWord($"ring[{number}].range");
    }

    /// <summary>The generation that it holds, or none.</summary>
    internal Word Generation { get; }

    /// <summary>What was flushed, as <see cref="FlushTlbInfo"/>.</summary>
    internal Word Info { get; }

    /// <summary>What <see cref="Info"/> cannot hold; null on small machines.</summary>
    internal Word? Wide { get; }
}
