using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Shootdown.Machine;

/// <summary>
/// The fingerprint of a state up to a renaming of interchangeable CPUs and pages. One instance a worker thread.
/// </summary>
/// <remarks>
/// <para>First the interchangeable CPUs are put in an order that depends on their part in the state only: each gets a key made
/// of what the state says of it, in which pages are summed over and other CPUs count as equals; keys that are equal are
/// refined by the keys of the CPUs and pages that they are related to, as in colour refinement. CPUs whose keys stay
/// equal are taken as they come: if they really differ, two images of one state may get two fingerprints. That costs states; it never
/// merges different ones, because the fingerprint is taken of the state with CPUs renamed in just that order.</para>
/// <para>Then every word is hashed at its CPU's place in the order. What belongs to a page is hashed for itself, and the hashes
/// of all pages are added: a sum does not depend on the order of its terms. No word relates two pages
/// (<see cref="MachineSymmetry"/> refuses those), and a local state says which part each page plays in it, so that the state is
/// known, up to a renaming of pages, when the pages' hashes are.</para>
/// </remarks>
public sealed class CanonicalFingerprint
{
    private const int BlockWords = 4;
    private const ulong Odd = 0x9fb21c651e98df25;
    private const ulong Salt = 0xd6e8feb86659fd93;
    private readonly MachineSymmetry _symmetry;
    private readonly MachineModel _machine;
    private readonly ulong[] _initial;
    private readonly WordCode[] _codes;
    private readonly ulong[] _keyLow;
    private readonly ulong[] _keyHigh;
    private readonly int[] _changed;
    private readonly ulong[] _values;
    private readonly ulong[] _anonymous;
    private readonly int[] _place;
    private readonly int[] _class;
    private readonly int[] _order;
    private readonly ulong[] _cpuKey;
    private readonly ulong[] _cpuNext;
    private readonly ulong[] _pageKey;
    private readonly ulong[] _pageNext;
    private readonly ulong[] _pageLow;
    private readonly ulong[] _pageHigh;
    private readonly LocalRoles[] _roles;
    private readonly LocalState?[] _locals;
    private readonly int _cpus;
    private readonly int _colours;
    private readonly ulong _moving;
    private int _changedCount;

    /// <summary>Prepares fingerprints of states of a machine.</summary>
    public CanonicalFingerprint(MachineSymmetry symmetry)
    {
        ArgumentNullException.ThrowIfNull(symmetry);
        _symmetry = symmetry;
        _machine = symmetry.Machine;
        _initial = [.. Enumerable.Range(0, _machine.WordCount).Select(address => _machine.WordInfo(address).Initial)];
        _cpus = _machine.Cpus.Count;
        _colours = _machine.Options.FrameColours;
        _codes = new WordCode[_machine.WordCount];
        int keys = Encode();
        _keyLow = [.. Enumerable.Range(0, keys).Select(i => Hash128.SplitMix(2 * (ulong)i))];
        _keyHigh = [.. Enumerable.Range(0, keys).Select(i => Hash128.SplitMix((2 * (ulong)i) + 1))];
        _changed = new int[_machine.WordCount];
        _values = new ulong[_machine.WordCount];
        _anonymous = new ulong[_machine.WordCount];
        _order = [.. symmetry.Cpus];
        _place = [.. Enumerable.Range(0, _cpus)];
        _class = [.. Enumerable.Range(0, _cpus)];
        foreach (int cpu in symmetry.Cpus)
        {
            _moving |= 1UL << cpu;
            _class[cpu] = symmetry.Cpus[0];
        }

        _cpuKey = new ulong[_cpus];
        _cpuNext = new ulong[_cpus];
        _pageKey = new ulong[symmetry.PageCount];
        _pageNext = new ulong[symmetry.PageCount];
        _pageLow = new ulong[symmetry.PageCount];
        _pageHigh = new ulong[symmetry.PageCount];
        _roles = new LocalRoles[_machine.Agents.Count];
        _locals = new LocalState?[_machine.Agents.Count];
    }

    /// <summary>The fingerprint.</summary>
    public (ulong Low, ulong High) Of(MachineState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        Load(state);
        if (_order.Length > 1)
        {
            ChooseOrder();
        }

        return Hash();
    }

    private void Load(MachineState state)
    {
        _changedCount = 0;
        ReadOnlySpan<ulong> words = state.Words;
        ref ulong firstWord = ref MemoryMarshal.GetReference(words);
        ref ulong firstInitial = ref MemoryMarshal.GetArrayDataReference(_initial);
        int inBlocks = words.Length - (words.Length % BlockWords);
        for (int block = 0; block < inBlocks; block += BlockWords)
        {
            if (Vector256.LoadUnsafe(ref firstWord, (nuint)block) != Vector256.LoadUnsafe(ref firstInitial, (nuint)block))
            {
                LoadWords(words, block, block + BlockWords);
            }
        }

        LoadWords(words, inBlocks, words.Length);
        for (int agent = 0; agent < _roles.Length; agent++)
        {
            LocalState local = state.LocalOf(agent);
            if (!ReferenceEquals(local, _locals[agent]))
            {
                _roles[agent] = _symmetry.RolesOf(local);
                _locals[agent] = local;
            }
        }
    }

    private void LoadWords(ReadOnlySpan<ulong> words, int first, int end)
    {
        for (int address = first; address < end; address++)
        {
            if (words[address] != _initial[address])
            {
                _changed[_changedCount] = address;
                _values[_changedCount++] = _codes[address].NamesFrames ? WithoutColour(address, words[address]) : words[address];
            }
        }
    }

    /// <summary>Writes frame numbers as numbers among the frames of the page's colour.</summary>
    private ulong WithoutColour(int address, ulong value)
    {
        ref WordCode code = ref _codes[address];
        if (code.Meaning == WordMeaning.Entry)
        {
            var entry = new Pte(value);
            return entry.IsNone || (value & Pte.SwapBit) != 0 ? value : (value & 0xffff) | (Local(entry.Frame) << 16);
        }

        ulong result = 0;
        int shift = 0;
        for (ulong rest = value; rest != 0; rest >>= 16, shift += 16)
        {
            var member = new Translation((ushort)rest);
            result |= ((ulong)(member.Bits & ~(uint)Translation.FrameMask) | Local(member.Frame)) << shift;
        }

        return result;

        ulong Local(int frame)
        {
            if (frame % _colours != _codes[address].Page)
            {
                throw new ProcRuleException(
                    $"the declared symmetry does not hold: {_machine.WordInfo(address).Name} holds frame {frame}, which has the colour of another page");
            }

            return (ulong)(frame / _colours);
        }
    }

    private void ChooseOrder()
    {
        FirstKeys();
        int classes = Sort();
        while (classes < _order.Length)
        {
            Refine();
            int finer = Sort();
            if (finer <= classes)
            {
                break;
            }

            classes = finer;
        }

        for (int i = 0; i < _order.Length; i++)
        {
            _place[_order[i]] = _symmetry.Cpus[i];
        }
    }

    private void FirstKeys()
    {
        Array.Clear(_cpuKey);
        Array.Clear(_pageKey);
        for (int i = 0; i < _changedCount; i++)
        {
            ref WordCode code = ref _codes[_changed[i]];
            _anonymous[i] = Anonymous(i, ref code);
            if (code.Page >= 0)
            {
                _pageKey[code.Page] += _anonymous[i];
            }
            else if (code.Meaning == WordMeaning.PageNumber && _pageKey.Length > 0 && _values[i] != 0)
            {
                _pageKey[_values[i] - 1] += _anonymous[i];
            }
        }

        foreach (LocalRoles roles in _roles)
        {
            foreach ((int page, int role) in roles.NamedPages)
            {
                _pageKey[page] += Hash128.Mix(roles.KeyLow + (Odd * (ulong)role));
            }
        }

        for (int i = 0; i < _changedCount; i++)
        {
            AddToCpus(i, _cpuKey, _pageKey, 0);
        }

        foreach (LocalRoles roles in _roles)
        {
            foreach ((int cpu, int role) in roles.NamedCpus)
            {
                _cpuKey[cpu] += Hash128.Mix(roles.KeyLow ^ (Odd * (ulong)(role + 1)));
            }

            for (int i = 0; i < roles.NamedPages.Length && roles.Home >= 0; i++)
            {
                (int page, int role) = roles.NamedPages[i];
                _cpuKey[roles.Home] += Hash128.Mix((roles.KeyLow ^ _pageKey[page]) + (Odd * (ulong)role));
            }
        }
    }

    /// <summary>Keys that tell apart what is related to parts with different keys.</summary>
    private void Refine()
    {
        _pageKey.CopyTo(_pageNext, 0);
        _cpuKey.CopyTo(_cpuNext, 0);
        for (int i = 0; i < _changedCount; i++)
        {
            ref WordCode code = ref _codes[_changed[i]];
            if (code.Page >= 0 && IsMoving(code.Cpu))
            {
                _pageNext[code.Page] += Hash128.Mix(_anonymous[i] + _cpuKey[code.Cpu]);
            }
        }

        foreach (LocalRoles roles in _roles)
        {
            for (int i = 0; i < roles.NamedPages.Length && roles.Home >= 0; i++)
            {
                (int page, int role) = roles.NamedPages[i];
                _pageNext[page] += Hash128.Mix((roles.KeyLow ^ _cpuKey[roles.Home]) + (Odd * (ulong)role));
            }
        }

        for (int i = 0; i < _changedCount; i++)
        {
            AddToCpus(i, _cpuNext, _pageNext, 1);
        }

        foreach (LocalRoles roles in _roles)
        {
            for (int i = 0; i < roles.NamedPages.Length && roles.Home >= 0; i++)
            {
                (int page, int role) = roles.NamedPages[i];
                _cpuNext[roles.Home] += Hash128.Mix((roles.KeyLow ^ _pageNext[page]) + (Odd * (ulong)role));
            }
        }

        _cpuNext.CopyTo(_cpuKey, 0);
        _pageNext.CopyTo(_pageKey, 0);
    }

    /// <summary>Adds what one word says of the CPUs that it belongs to or names.</summary>
    private void AddToCpus(int index, ulong[] keys, ulong[] pages, ulong round)
    {
        ref WordCode code = ref _codes[_changed[index]];
        bool ofCpu = IsMoving(code.Cpu);
        bool ofOther = IsMoving(code.OtherCpu);
        ulong value = _anonymous[index];
        if (ofCpu)
        {
            ulong page = code.Page >= 0 && pages.Length > 0 ? pages[code.Page]
                : code.Meaning == WordMeaning.PageNumber && pages.Length > 0 && _values[index] != 0 ? pages[_values[index] - 1] : 0;
            ulong other = ofOther && round > 0 ? _cpuKey[code.OtherCpu] : 0;
            keys[code.Cpu] += Hash128.Mix(value + Hash128.Mix(page + other + 1));
        }

        if (ofOther)
        {
            ulong related = ofCpu && round > 0 ? _cpuKey[code.Cpu] : 0;
            keys[code.OtherCpu] += Hash128.Mix(value + Hash128.Mix(related + 2));
        }

        if (code.Meaning == WordMeaning.CpuOwner && _values[index] != 0 && IsMoving((int)_values[index] - 1))
        {
            keys[_values[index] - 1] += Hash128.Mix(value + 3);
        }
        else if (code.Meaning == WordMeaning.CpuSet)
        {
            for (ulong rest = _values[index] & _moving; rest != 0; rest &= rest - 1)
            {
                int member = BitOperations.TrailingZeroCount(rest);
                keys[member] += Hash128.Mix(value + Hash128.Mix((ofCpu && round > 0 ? _cpuKey[code.Cpu] : 0) + 4));
                if (ofCpu && round > 0)
                {
                    keys[code.Cpu] += Hash128.Mix(value + Hash128.Mix(_cpuKey[member] + 5));
                }
            }
        }
    }

    /// <summary>A word's hash with all interchangeable CPUs and pages taken as equals.</summary>
    private ulong Anonymous(int index, ref WordCode code)
    {
        ulong value = _values[index];
        value = code.Meaning switch
        {
            WordMeaning.CpuSet => (value & ~_moving) | ((ulong)BitOperations.PopCount(value & _moving) << 32),
            WordMeaning.CpuOwner => value != 0 && IsMoving((int)value - 1) ? 64 : value,
            WordMeaning.PageNumber when _pageKey.Length > 0 => value == 0 ? 0UL : 1,
            _ => value,
        };
        int key = code.Key + (code.CpuStride * (code.Cpu < 0 ? 0 : _class[code.Cpu])) + (code.OtherStride * (code.OtherCpu < 0 ? 0 : _class[code.OtherCpu]));
        return Hash128.Mix(value + _keyLow[key]);
    }

    private bool IsMoving(int cpu) => cpu >= 0 && (_moving & (1UL << cpu)) != 0;

    /// <summary>Sorts the CPUs by key and counts different keys.</summary>
    private int Sort()
    {
        int[] order = _order;
        for (int i = 1; i < order.Length; i++)
        {
            int cpu = order[i];
            int at = i;
            while (at > 0 && _cpuKey[order[at - 1]] > _cpuKey[cpu])
            {
                order[at] = order[at - 1];
                at--;
            }

            order[at] = cpu;
        }

        int classes = 1;
        for (int i = 1; i < order.Length; i++)
        {
            classes += _cpuKey[order[i]] != _cpuKey[order[i - 1]] ? 1 : 0;
        }

        return classes;
    }

    private (ulong Low, ulong High) Hash()
    {
        ulong low = 0;
        ulong high = 0;
        Array.Clear(_pageLow);
        Array.Clear(_pageHigh);
        for (int i = 0; i < _changedCount; i++)
        {
            ref WordCode code = ref _codes[_changed[i]];
            ulong value = _values[i];
            int page = code.Page;
            switch (code.Meaning)
            {
                case WordMeaning.CpuSet:
                    value = RenamedSet(value);
                    break;
                case WordMeaning.CpuOwner when value != 0:
                    value = (ulong)_place[value - 1] + 1;
                    break;
                case WordMeaning.PageNumber when value != 0 && _pageLow.Length > 0:
                    page = (int)value - 1;
                    value = 1;
                    break;
            }

            int key = code.Key + (code.CpuStride * (code.Cpu < 0 ? 0 : _place[code.Cpu])) + (code.OtherStride * (code.OtherCpu < 0 ? 0 : _place[code.OtherCpu]));
            ulong wordLow = Hash128.Mix(value + _keyLow[key]);
            ulong wordHigh = Hash128.Mix((value * Odd) ^ _keyHigh[key]);
            if (page >= 0)
            {
                _pageLow[page] += wordLow;
                _pageHigh[page] += wordHigh;
            }
            else
            {
                low += wordLow;
                high += wordHigh;
            }
        }

        foreach (LocalRoles roles in _roles)
        {
            low += Hash128.Mix(roles.KeyLow);
            high += Hash128.Mix(roles.KeyHigh);
            foreach ((int cpu, int role) in roles.NamedCpus)
            {
                ulong part = ((ulong)role << 8) + (ulong)_place[cpu] + 1;
                low += Hash128.Mix(roles.KeyLow ^ (part * Salt));
                high += Hash128.Mix(roles.KeyHigh + (part * Odd));
            }

            ulong home = roles.Home >= 0 ? (ulong)_place[roles.Home] + 1 : 0;
            foreach ((int page, int role) in roles.NamedPages)
            {
                ulong part = ((ulong)role << 16) + (home << 8) + 0xff;
                _pageLow[page] += Hash128.Mix(roles.KeyLow ^ (part * Odd));
                _pageHigh[page] += Hash128.Mix(roles.KeyHigh + (part * Salt));
            }
        }

        for (int page = 0; page < _pageLow.Length; page++)
        {
            low += Hash128.Mix(_pageLow[page] + Salt);
            high += Hash128.Mix(_pageHigh[page] ^ Salt);
        }

        return (low, high);
    }

    private ulong RenamedSet(ulong value)
    {
        ulong image = value & ~_moving;
        for (ulong rest = value & _moving; rest != 0; rest &= rest - 1)
        {
            image |= 1UL << _place[BitOperations.TrailingZeroCount(rest)];
        }

        return image;
    }

    /// <summary>Gives every family of words its keys; returns how many there are.</summary>
    private int Encode()
    {
        var families = new Dictionary<(string, bool, bool, int), int>();
        int keys = 0;
        for (int address = 0; address < _codes.Length; address++)
        {
            WordPlace place = _machine.PlaceOf(address);
            int page = _symmetry.PageCount > 0 ? place.Page : -1;
            bool ofCpu = place.Cpu >= 0;
            bool ofOther = place.OtherCpu >= 0;
            (string, bool, bool, int) family = (place.Family, ofCpu, ofOther, page >= 0 ? -1 : place.Page);
            if (!families.TryGetValue(family, out int key))
            {
                key = keys;
                families.Add(family, key);
                keys += (ofCpu ? _cpus : 1) * (ofOther ? _cpus : 1);
            }

            _codes[address] = new WordCode
            {
                Key = key,
                CpuStride = ofCpu ? (ofOther ? _cpus : 1) : 0,
                OtherStride = ofOther ? 1 : 0,
                Cpu = place.Cpu,
                OtherCpu = place.OtherCpu,
                Page = page,
                Meaning = place.Meaning,
                NamesFrames = page >= 0 && place.Meaning is (WordMeaning.Entry or WordMeaning.Translations),
            };
        }

        return keys;
    }

    private struct WordCode
    {
        internal int Key;
        internal int CpuStride;
        internal int OtherStride;
        internal int Cpu;
        internal int OtherCpu;
        internal int Page;
        internal WordMeaning Meaning;
        internal bool NamesFrames;
    }
}
