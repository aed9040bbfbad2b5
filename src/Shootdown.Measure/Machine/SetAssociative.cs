namespace Shootdown.Measure;

/// <summary>
/// A set-associative cache with least-recently-used replacement. An entry belongs to a key and a generation; an entry of an older
/// generation is invalid, but can still be recognised as one that a flush took away. A key stands in one place at most.
/// </summary>
internal sealed class SetAssociative
{
    private readonly int _ways;
    private readonly int _setMask;
    private readonly ulong[] _keys;
    private readonly long[] _lastUse;
    private readonly uint[] _generations;
    private readonly ulong[] _values;
    private long _uses;
    private int _place;

    internal SetAssociative(int entries, int ways)
    {
        _ways = ways;
        _setMask = (entries / ways) - 1;
        _keys = new ulong[entries];
        _lastUse = new long[entries];
        _generations = new uint[entries];
        _values = new ulong[entries];
    }

    /// <summary>Finds an entry and makes it the most recently used one.</summary>
    /// <param name="key">Its key; not 0.</param>
    /// <param name="generation">The generation that is valid; not 0.</param>
    /// <param name="value">What is cached.</param>
    /// <param name="wasFlushed">True if it is missing only because a flush took it away.</param>
    internal bool Find(ulong key, uint generation, out ulong value, out bool wasFlushed)
    {
        int place = PlaceOf(key);
        if (place >= 0 && _generations[place] == generation)
        {
            value = _values[place];
            wasFlushed = false;
            _lastUse[place] = ++_uses;
            return true;
        }

        value = 0;
        wasFlushed = place >= 0;
        return false;
    }

    /// <summary>Adds or replaces an entry.</summary>
    internal void Put(ulong key, uint generation, ulong value)
    {
        int place = PlaceOf(key);
        place = place >= 0 ? place : LeastRecentlyUsed(SetOf(key));
        _place = place;
        _keys[place] = key;
        _generations[place] = generation;
        _values[place] = value;
        _lastUse[place] = ++_uses;
    }

    /// <summary>Invalidates one entry; true if it was there.</summary>
    internal bool Drop(ulong key, uint generation)
    {
        int place = PlaceOf(key);
        if (place < 0 || _generations[place] != generation)
        {
            return false;
        }

        _generations[place] = 0;
        return true;
    }

    private int SetOf(ulong key) => (int)(key & (uint)_setMask) * _ways;

    /// <summary>Where a key stands, or -1. An access that faults asks for the same key many times in a row.</summary>
    private int PlaceOf(ulong key)
    {
        if (_keys[_place] == key)
        {
            return _place;
        }

        int first = SetOf(key);
        int way = _keys.AsSpan(first, _ways).IndexOf(key);
        return way < 0 ? -1 : _place = first + way;
    }

    private int LeastRecentlyUsed(int first)
    {
        ReadOnlySpan<long> uses = _lastUse.AsSpan(first, _ways);
        int least = 0;
        for (int i = 1; i < uses.Length; i++)
        {
            least = uses[i] < uses[least] ? i : least;
        }

        return first + least;
    }
}
