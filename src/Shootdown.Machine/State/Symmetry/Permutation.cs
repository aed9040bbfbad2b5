using System.Numerics;

namespace Shootdown.Machine;

/// <summary>A renaming of CPUs and pages; a frame is renamed with the pages of its colour.</summary>
public sealed class Permutation
{
    private const int EntryFrameShift = 16;
    private readonly int[] _cpus;
    private readonly int[] _pages;

    /// <summary>Creates a permutation.</summary>
    /// <param name="cpus">The image of every CPU.</param>
    /// <param name="pages">The image of every page; the number of pages is that of the frame colours.</param>
    public Permutation(ReadOnlySpan<int> cpus, ReadOnlySpan<int> pages)
    {
        _cpus = cpus.ToArray();
        _pages = pages.ToArray();
    }

    /// <summary>The image of a CPU.</summary>
    public int CpuOf(int cpu) => _cpus[cpu];

    /// <summary>The image of a page.</summary>
    public int PageOf(int page) => _pages[page];

    /// <summary>The image of a frame: the same one of the image colour's frames. -1 stays.</summary>
    public int FrameOf(int frame) => frame < 0 ? frame : (frame / _pages.Length * _pages.Length) + _pages[frame % _pages.Length];

    /// <summary>The image of a set of CPUs.</summary>
    public ulong CpuSetOf(ulong cpus)
    {
        ulong image = 0;
        for (ulong rest = cpus; rest != 0; rest &= rest - 1)
        {
            image |= 1UL << _cpus[BitOperations.TrailingZeroCount(rest)];
        }

        return image;
    }

    /// <summary>The image of a leaf entry.</summary>
    public Pte EntryOf(Pte entry)
    {
        if (entry.IsNone || entry.IsSwap)
        {
            return entry;
        }

        ulong flags = entry.Bits & ((1UL << EntryFrameShift) - 1);
        return new Pte(flags | ((ulong)FrameOf(entry.Frame) << EntryFrameShift));
    }

    /// <summary>The image of a set of translations.</summary>
    public ulong TranslationsOf(ulong set)
    {
        ulong image = 0;
        for (ulong rest = set; rest != 0; rest >>= 16)
        {
            var value = new Translation((ushort)rest);
            int flags = value.Bits & ~Translation.FrameMask;
            image = TranslationSet.Add(image, new Translation((ushort)(flags | FrameOf(value.Frame))));
        }

        return image;
    }

    /// <summary>The image of a word's value.</summary>
    public ulong ValueOf(WordMeaning meaning, ulong value) => meaning switch
    {
        WordMeaning.CpuOwner => value == 0 ? 0 : (ulong)_cpus[value - 1] + 1,
        WordMeaning.CpuSet => CpuSetOf(value),
        WordMeaning.Entry => EntryOf(new Pte(value)).Bits,
        WordMeaning.Translations => TranslationsOf(value),
        WordMeaning.PageNumber => value == 0 ? 0 : (ulong)_pages[value - 1] + 1,
        _ => value,
    };
}
