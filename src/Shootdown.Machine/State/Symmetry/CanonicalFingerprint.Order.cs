using System.Numerics;

namespace Shootdown.Machine;

/// <summary>The order of interchangeable CPUs that depends on their part in the state only.</summary>
public sealed partial class CanonicalFingerprint
{
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
}
