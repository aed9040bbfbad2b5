using System.Numerics;

namespace Shootdown.Machine;

/// <summary>
/// What a TLB may hold for one page, in 16 bits: frame (0 to 9), no-execute (10), huge (11), dirty known (12), writable (13),
/// dangling (14), valid (15). Dangling: the frame was freed since the translation was cached.
/// </summary>
/// <param name="Bits">The packed value; 0 is none.</param>
public readonly record struct Translation(ushort Bits)
{
    internal const ushort ValidBit = 1 << 15;
    internal const ushort DanglingBit = 1 << 14;
    internal const ushort WriteBit = 1 << 13;
    internal const ushort DirtyBit = 1 << 12;
    internal const ushort HugeBit = 1 << 11;
    internal const ushort NoExecuteBit = 1 << 10;
    internal const ushort FrameMask = (1 << 10) - 1;

    /// <summary>No translation.</summary>
    public bool IsNone => Bits == 0;

    /// <summary>Physical frame (or table, in a walk cache).</summary>
    public int Frame => Bits & FrameMask;

    /// <summary>Grants stores.</summary>
    public bool Write => (Bits & WriteBit) != 0;

    /// <summary>A store through it needs no walk.</summary>
    public bool DirtyKnown => (Bits & DirtyBit) != 0;

    /// <summary>Part of a huge page.</summary>
    public bool Huge => (Bits & HugeBit) != 0;

    /// <summary>The frame or table was freed since it was cached.</summary>
    public bool Dangling => (Bits & DanglingBit) != 0;

    /// <summary>What hardware caches of a present leaf; none if it is not present. Accessed and software bits do not matter.</summary>
    public static Translation Of(Pte pte, int frameOffset = 0) => !pte.Present ? default : new Translation((ushort)(
        ValidBit | ((pte.Frame + frameOffset) & FrameMask)
        | (pte.Write ? WriteBit : 0) | (pte.Dirty ? DirtyBit : 0) | (pte.Huge ? HugeBit : 0)
        | ((pte.Bits & Pte.NoExecuteBit) != 0 ? NoExecuteBit : 0)));

    /// <summary>What a walk cache holds of a present upper entry.</summary>
    public static Translation OfTable(int table) => new((ushort)(ValidBit | table));

    internal Translation AsDangling() => new((ushort)(Bits | DanglingBit));

    internal Translation NotDangling() => new((ushort)(Bits & ~DanglingBit));
}

/// <summary>Up to four translations as an ordered set in one word: what one TLB may still hold for one page.</summary>
internal static class TranslationSet
{
    private const int Lanes = 4;

    internal static Translation At(ulong set, int lane) => new((ushort)(set >> (16 * lane)));

    internal static bool Contains(ulong set, Translation value)
    {
        for (ulong rest = set; rest != 0; rest >>= 16)
        {
            if ((ushort)rest == value.Bits)
            {
                return true;
            }
        }

        return false;
    }

    internal static int Count(ulong set) => (79 - BitOperations.LeadingZeroCount(set)) / 16;

    internal static ulong Of(Translation value) => value.Bits;

    /// <summary>The set with a value added, largest lane last, so that equal sets are equal words.</summary>
    internal static ulong Add(ulong set, Translation value)
    {
        if (value.IsNone || Contains(set, value))
        {
            return set;
        }

        int count = Count(set);
        if (count == Lanes)
        {
            throw new BoundExceededException(
                "a TLB may hold more than 4 different old translations of one page; the check's machine keeps 4: use fewer steps or frames");
        }

        ulong result = 0;
        int lane = 0;
        bool placed = false;
        for (int i = 0; i < count; i++)
        {
            ushort there = (ushort)(set >> (16 * i));
            if (!placed && value.Bits < there)
            {
                result |= (ulong)value.Bits << (16 * lane++);
                placed = true;
            }

            result |= (ulong)there << (16 * lane++);
        }

        return placed ? result : result | ((ulong)value.Bits << (16 * lane));
    }

    internal static ulong Remove(ulong set, Translation value)
    {
        ulong result = 0;
        int lane = 0;
        for (ulong rest = set; rest != 0; rest >>= 16)
        {
            if ((ushort)rest != value.Bits)
            {
                result |= (rest & 0xffff) << (16 * lane++);
            }
        }

        return result;
    }
}
