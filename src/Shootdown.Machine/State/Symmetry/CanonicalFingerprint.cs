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
public sealed partial class CanonicalFingerprint
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
            return entry.IsNone || entry.IsSwap ? value : (value & 0xffff) | (Local(entry.Frame) << 16);
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
