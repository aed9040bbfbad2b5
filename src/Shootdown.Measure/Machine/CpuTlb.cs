namespace Shootdown.Measure;

/// <summary>
/// The TLBs and the walk cache of one CPU. Entries carry the PCID; a flush of a PCID raises its generation, which makes all its
/// entries invalid at once.
/// </summary>
internal sealed class CpuTlb(TlbSizes sizes, int asids)
{
    private const int HugeShift = 9;
    private readonly SetAssociative _small = new(sizes.L1Entries, sizes.L1Ways);
    private readonly SetAssociative _huge = new(sizes.L1HugeEntries, sizes.L1HugeWays);
    private readonly SetAssociative _second = new(sizes.L2Entries, sizes.L2Ways);
    private readonly SetAssociative _walk = new(sizes.WalkEntries, sizes.WalkEntries);
    private bool _hadHuge;
    private readonly uint[] _generation = [.. Enumerable.Repeat(1u, asids)];
    private readonly uint[] _walkGeneration = [.. Enumerable.Repeat(1u, asids)];

    /// <summary>Where a translation was found.</summary>
    internal enum Level
    {
        /// <summary>Nowhere.</summary>
        None,

        /// <summary>First level.</summary>
        First,

        /// <summary>Second level.</summary>
        Second,
    }

    /// <summary>Looks a page up: the entry's bits as they were when it was cached.</summary>
    internal Level Find(int asid, int page, out ulong entry, out bool huge, out bool wasFlushed)
    {
        uint generation = _generation[asid];
        ulong small = SmallKey(asid, page);
        huge = false;
        if (_small.Find(small, generation, out entry, out bool flushed))
        {
            wasFlushed = false;
            return Level.First;
        }

        wasFlushed = flushed;
        ulong large = HugeKey(asid, page);
        if (_hadHuge && _huge.Find(large, generation, out entry, out flushed))
        {
            huge = true;
            return Level.First;
        }

        wasFlushed |= flushed;
        if (_second.Find(small, generation, out entry, out flushed))
        {
            _small.Put(small, generation, entry);
            return Level.Second;
        }

        wasFlushed |= flushed;
        if (_hadHuge && _second.Find(large, generation, out entry, out flushed))
        {
            huge = true;
            _huge.Put(large, generation, entry);
            return Level.Second;
        }

        wasFlushed |= flushed;
        return Level.None;
    }

    /// <summary>Caches a translation and the way to it.</summary>
    internal void Fill(int asid, int page, ulong entry, bool huge)
    {
        _hadHuge |= huge;
        uint generation = _generation[asid];
        ulong key = huge ? HugeKey(asid, page) : SmallKey(asid, page);
        (huge ? _huge : _small).Put(key, generation, entry);
        _second.Put(key, generation, entry);
        _walk.Put(HugeKey(asid, page), _walkGeneration[asid], 1);
    }

    /// <summary>True if the walk cache knows the leaf table of the page.</summary>
    internal bool KnowsTable(int asid, int page) => _walk.Find(HugeKey(asid, page), _walkGeneration[asid], out _, out _);

    /// <summary>INVLPG: the page, and all walk-cache entries of the PCID.</summary>
    internal void DropPage(int asid, int page)
    {
        DropTranslation(asid, page);
        _walkGeneration[asid]++;
    }

    /// <summary>A fault drops the translation that caused it.</summary>
    internal void DropTranslation(int asid, int page)
    {
        uint generation = _generation[asid];
        ulong small = SmallKey(asid, page);
        ulong large = HugeKey(asid, page);
        _small.Drop(small, generation);
        _second.Drop(small, generation);
        if (_hadHuge)
        {
            _huge.Drop(large, generation);
            _second.Drop(large, generation);
        }
    }

    /// <summary>Everything of a PCID.</summary>
    internal void DropAll(int asid)
    {
        _generation[asid]++;
        _walkGeneration[asid]++;
    }

    // The page in the low bits spreads over the sets; bit 40 tells sizes apart, the PCID stands above. Never 0.
    private static ulong SmallKey(int asid, int page) => (uint)page | ((ulong)(uint)(asid + 1) << 41);

    private static ulong HugeKey(int asid, int page) => (uint)(page >> HugeShift) | (1UL << 40) | ((ulong)(uint)(asid + 1) << 41);
}
