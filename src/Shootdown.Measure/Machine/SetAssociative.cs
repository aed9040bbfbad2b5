namespace Shootdown.Measure;

/// <summary>
/// A set-associative cache with least-recently-used replacement. An entry belongs to a key and a generation; an entry of an older
/// generation is invalid, but can still be recognised as one that a flush took away.
/// </summary>
internal sealed class SetAssociative
{
    private readonly int _ways;
    private readonly int _setMask;
    private readonly ulong[] _keys;
    private readonly uint[] _generations;
    private readonly ulong[] _values;

    internal SetAssociative(int entries, int ways)
    {
        _ways = ways;
        _setMask = (entries / ways) - 1;
        _keys = new ulong[entries];
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
        int first = SetOf(key);
        wasFlushed = false;
        for (int i = first; i < first + _ways; i++)
        {
            if (_keys[i] != key)
            {
                continue;
            }

            value = _values[i];
            if (_generations[i] == generation)
            {
                MoveToFront(first, i);
                return true;
            }

            wasFlushed = true;
        }

        value = 0;
        return false;
    }

    /// <summary>Adds or replaces an entry.</summary>
    internal void Put(ulong key, uint generation, ulong value)
    {
        int first = SetOf(key);
        int place = first + _ways - 1;
        for (int i = first; i < first + _ways; i++)
        {
            if (_keys[i] == key)
            {
                place = i;
                break;
            }
        }

        _keys[place] = key;
        _generations[place] = generation;
        _values[place] = value;
        MoveToFront(first, place);
    }

    /// <summary>Invalidates one entry; true if it was there.</summary>
    internal bool Drop(ulong key, uint generation)
    {
        int first = SetOf(key);
        for (int i = first; i < first + _ways; i++)
        {
            if (_keys[i] == key && _generations[i] == generation)
            {
                _generations[i] = 0;
                return true;
            }
        }

        return false;
    }

    private int SetOf(ulong key) => ((int)(key & (uint)_setMask)) * _ways;

    private void MoveToFront(int first, int place)
    {
        if (place == first)
        {
            return;
        }

        (ulong key, uint generation, ulong value) = (_keys[place], _generations[place], _values[place]);
        for (int i = place; i > first; i--)
        {
            _keys[i] = _keys[i - 1];
            _generations[i] = _generations[i - 1];
            _values[i] = _values[i - 1];
        }

        (_keys[first], _generations[first], _values[first]) = (key, generation, value);
    }
}
