namespace Shootdown.Check;

/// <summary>
/// What an <see cref="AmpleChooser"/> chose before, by a 126-bit fingerprint of all that the choice depends on (the odds of a
/// mix-up are those of the <see cref="VisitedSet"/>). Starts over when it is full. Not thread-safe.
/// </summary>
internal sealed class ChoiceMemory
{
    private const int InitialSlots = 1 << 9;
    private const int SlotsMax = 1 << 18;
    private const ulong UsedBit = 1;
    private const ulong ReducedBit = 1;
    private Slot[] _slots = new Slot[InitialSlots];
    private int _used;

    /// <summary>Looks a choice up.</summary>
    internal bool TryGet(ulong low, ulong high, out ulong chosen, out bool isReduced)
    {
        Slot[] slots = _slots;
        low |= UsedBit;
        for (uint i = Place(low, slots.Length); slots[i].Low != 0; i = (i + 1) & (uint)(slots.Length - 1))
        {
            if (slots[i].Low == low && ((slots[i].High ^ high) & ~ReducedBit) == 0)
            {
                chosen = slots[i].Chosen;
                isReduced = (slots[i].High & ReducedBit) != 0;
                return true;
            }
        }

        chosen = 0;
        isReduced = false;
        return false;
    }

    /// <summary>Adds a choice that is not there.</summary>
    internal void Add(ulong low, ulong high, ulong chosen, bool isReduced)
    {
        if (_used * 3 >= _slots.Length * 2)
        {
            Grow();
        }

        Insert(new Slot { Low = low | UsedBit, High = (high & ~ReducedBit) | (isReduced ? ReducedBit : 0), Chosen = chosen });
    }

    private static uint Place(ulong low, int slots) => (uint)(low >> 32) & (uint)(slots - 1);

    private void Insert(Slot slot)
    {
        uint i = Place(slot.Low, _slots.Length);
        while (_slots[i].Low != 0)
        {
            i = (i + 1) & (uint)(_slots.Length - 1);
        }

        _slots[i] = slot;
        _used++;
    }

    private void Grow()
    {
        Slot[] old = _slots;
        _used = 0;
        if (old.Length == SlotsMax)
        {
            Array.Clear(old);
            return;
        }

        _slots = new Slot[old.Length * 2];
        foreach (Slot slot in old)
        {
            if (slot.Low != 0)
            {
                Insert(slot);
            }
        }
    }

    /// <summary>A choice; two bits of its fingerprint say that the slot is used, and whether the choice is reduced.</summary>
    private struct Slot
    {
        internal ulong Low;
        internal ulong High;
        internal ulong Chosen;
    }
}
