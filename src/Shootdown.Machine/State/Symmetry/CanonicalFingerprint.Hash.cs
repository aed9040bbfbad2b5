using System.Numerics;

namespace Shootdown.Machine;

/// <summary>The hash of a state whose CPUs have their places.</summary>
public sealed partial class CanonicalFingerprint
{
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

            int key = code.Key + (code.CpuStride * (code.Cpu < 0 ? 0 : _place[code.Cpu]))
                + (code.OtherStride * (code.OtherCpu < 0 ? 0 : _place[code.OtherCpu]));
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
}
