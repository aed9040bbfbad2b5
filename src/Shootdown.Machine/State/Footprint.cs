namespace Shootdown.Machine;

/// <summary>
/// A set of words that may be read, a set that may be written, and a set on which steps commute with each other: erasing a TLB's
/// set and marking members of it as dangling give the same in any order. Mutable; grows only.
/// </summary>
public sealed class Footprint
{
    private readonly ulong[] _reads;
    private readonly ulong[] _writes;
    private readonly ulong[] _commuting;

    /// <summary>An empty footprint over a machine's words.</summary>
    public Footprint(int wordCount)
    {
        _reads = new ulong[(wordCount + 63) / 64];
        _writes = new ulong[(wordCount + 63) / 64];
        _commuting = new ulong[(wordCount + 63) / 64];
    }

    /// <summary>Adds a word that may be read.</summary>
    public void Read(int address) => _reads[address >> 6] |= 1UL << (address & 63);

    /// <summary>Adds words that may be read.</summary>
    public void ReadAll(IReadOnlyList<int> addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        foreach (int address in addresses)
        {
            Read(address);
        }
    }

    /// <summary>Adds a word that may be written (and read).</summary>
    public void Write(int address) => _writes[address >> 6] |= 1UL << (address & 63);

    /// <summary>Adds a word that may be erased or marked: it conflicts with reads and writes, not with another such step.</summary>
    public void Commute(int address) => _commuting[address >> 6] |= 1UL << (address & 63);

    /// <summary>Adds consecutive words that may be erased or marked.</summary>
    public void CommuteRange(int address, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Commute(address + i);
        }
    }

    /// <summary>Adds consecutive words that may be read.</summary>
    public void ReadRange(int address, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Read(address + i);
        }
    }

    /// <summary>Adds consecutive words that may be written.</summary>
    public void WriteRange(int address, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Write(address + i);
        }
    }

    /// <summary>True if the word may be written.</summary>
    public bool Writes(int address) => ((_writes[address >> 6] | _commuting[address >> 6]) & (1UL << (address & 63))) != 0;

    /// <summary>True if the word may be read or written.</summary>
    public bool Touches(int address) => ((_reads[address >> 6] | _writes[address >> 6] | _commuting[address >> 6]) & (1UL << (address & 63))) != 0;

    /// <summary>Adds all of another footprint; true if that changed this one.</summary>
    public bool UnionWith(Footprint other)
    {
        ArgumentNullException.ThrowIfNull(other);
        ulong added = 0;
        for (int i = 0; i < _reads.Length; i++)
        {
            added |= (other._reads[i] & ~_reads[i]) | (other._writes[i] & ~_writes[i]) | (other._commuting[i] & ~_commuting[i]);
            _commuting[i] |= other._commuting[i];
            _reads[i] |= other._reads[i];
            _writes[i] |= other._writes[i];
        }

        return added != 0;
    }

    /// <summary>Adds every word that another footprint touches as one that is read.</summary>
    public void ReadWhatTouches(Footprint other)
    {
        ArgumentNullException.ThrowIfNull(other);
        for (int i = 0; i < _reads.Length; i++)
        {
            _reads[i] |= other._reads[i] | other._writes[i] | other._commuting[i];
        }
    }

    /// <summary>True if some word is written by one and touched by the other: their order may matter.</summary>
    public bool ConflictsWith(Footprint other)
    {
        ArgumentNullException.ThrowIfNull(other);
        for (int i = 0; i < _reads.Length; i++)
        {
            ulong theirs = other._reads[i] | other._writes[i];
            if ((_writes[i] & (theirs | other._commuting[i])) != 0
                || (_reads[i] & (other._writes[i] | other._commuting[i])) != 0
                || (_commuting[i] & theirs) != 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>True if this one may write a word that the other may read or write.</summary>
    public bool WritesWhatTouches(Footprint other)
    {
        ArgumentNullException.ThrowIfNull(other);
        for (int i = 0; i < _reads.Length; i++)
        {
            if (((_writes[i] | _commuting[i]) & (other._reads[i] | other._writes[i] | other._commuting[i])) != 0)
            {
                return true;
            }
        }

        return false;
    }
}
