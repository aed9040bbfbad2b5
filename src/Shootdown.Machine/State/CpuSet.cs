using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// A set of CPUs as kernel code passes it on (<c>cpumask_t</c>): a value of 512 bits, so that changing one never changes another and
/// nothing is allocated. What CPUs share is a <see cref="CpuMask"/>.
/// </summary>
public readonly struct CpuSet : IEquatable<CpuSet>
{
    /// <summary>CPUs that a set can hold, and so those of the largest machine.</summary>
    public const int CpusMax = WordsMax * WordBits;

    internal const int WordsMax = 8;
    internal const int WordBits = 64;
    private readonly Words _words;

    private CpuSet(in Words words) => _words = words;

    /// <summary>True if there is none.</summary>
    public bool IsEmpty
    {
        get
        {
            ulong any = 0;
            for (int i = 0; i < WordsMax; i++)
            {
                any |= _words[i];
            }

            return any == 0;
        }
    }

    /// <summary>How many there are.</summary>
    public int Count
    {
        get
        {
            int count = 0;
            for (int i = 0; i < WordsMax; i++)
            {
                count += BitOperations.PopCount(_words[i]);
            }

            return count;
        }
    }

    /// <summary>The lowest CPU of the set; -1 if there is none (<c>cpumask_first</c>).</summary>
    public int First => After(-1);

    /// <summary>The set as one word, bit n for CPU n.</summary>
    /// <exception cref="ProcRuleException">It holds a CPU above 63.</exception>
    public ulong Mask
    {
        get
        {
            if (After(WordBits - 1) >= 0)
            {
                throw new ProcRuleException("a set with CPUs above 63 does not fit into one word: use CpuSet and CpuMask, not ulong and Word");
            }

            return _words[0];
        }
    }

    /// <summary>A set of CPUs 0 to 63, bit n for CPU n.</summary>
    public static implicit operator CpuSet(ulong mask) => FromUInt64(mask);

    /// <summary>The CPUs of both.</summary>
    public static CpuSet operator |(CpuSet left, CpuSet right) => left.BitwiseOr(right);

    /// <summary>True if both hold the same CPUs.</summary>
    public static bool operator ==(CpuSet left, CpuSet right) => left.Equals(right);

    /// <summary>True if one holds a CPU that the other does not.</summary>
    public static bool operator !=(CpuSet left, CpuSet right) => !left.Equals(right);

    /// <summary>A set of CPUs 0 to 63, bit n for CPU n.</summary>
    public static CpuSet FromUInt64(ulong mask) => new CpuSet().WithWord(0, mask);

    /// <summary>One CPU.</summary>
    public static CpuSet Of(Cpu cpu) => new CpuSet().With(cpu);

    /// <summary>CPUs 0 to count - 1.</summary>
    public static CpuSet FirstCpus(int count)
    {
        CpuSet made = default;
        for (int i = 0; i * WordBits < count; i++)
        {
            int bits = count - (i * WordBits);
            made = made.WithWord(i, bits >= WordBits ? ulong.MaxValue : (1UL << bits) - 1);
        }

        return made;
    }

    /// <summary>True if it holds the CPU.</summary>
    public bool Contains(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return Contains(cpu.Index);
    }

    /// <summary>True if it holds the CPU with this number.</summary>
    public bool Contains(int cpu) => (_words[cpu / WordBits] & (1UL << (cpu % WordBits))) != 0;

    /// <summary>With one more CPU.</summary>
    public CpuSet With(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return With(cpu.Index);
    }

    /// <summary>With the CPU that has this number.</summary>
    public CpuSet With(int cpu) => WithWord(cpu / WordBits, _words[cpu / WordBits] | (1UL << (cpu % WordBits)));

    /// <summary>Without a CPU.</summary>
    public CpuSet Without(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        int word = cpu.Index / WordBits;
        return WithWord(word, _words[word] & ~(1UL << (cpu.Index % WordBits)));
    }

    /// <summary>The CPUs of both.</summary>
    public CpuSet BitwiseOr(CpuSet other)
    {
        Words words = _words;
        for (int i = 0; i < WordsMax; i++)
        {
            words[i] |= other._words[i];
        }

        return new(words);
    }

    /// <summary>
    /// The lowest CPU of the set above a number; -1 if there is none (<c>cpumask_next</c>). A loop over a set is
    /// <c>for (int cpu = set.First; cpu >= 0; cpu = set.After(cpu))</c>.
    /// </summary>
    public int After(int cpu)
    {
        int next = cpu + 1;
        for (int i = next / WordBits; i < WordsMax; i++)
        {
            ulong rest = _words[i] & (next <= i * WordBits ? ulong.MaxValue : ulong.MaxValue << (next % WordBits));
            if (rest != 0)
            {
                return (i * WordBits) + BitOperations.TrailingZeroCount(rest);
            }
        }

        return -1;
    }

    /// <inheritdoc/>
    public bool Equals(CpuSet other)
    {
        ulong different = 0;
        for (int i = 0; i < WordsMax; i++)
        {
            different |= _words[i] ^ other._words[i];
        }

        return different == 0;
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is CpuSet other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        ulong hash = 0;
        for (int i = 0; i < WordsMax; i++)
        {
            hash = (hash * 31) + _words[i];
        }

        return hash.GetHashCode();
    }

    /// <summary>A list such as <c>cpu0,cpu2-5</c>.</summary>
    public override string ToString() => ValueText.Cpus(this);

    internal ulong Word(int index) => _words[index];

    internal CpuSet WithWord(int index, ulong value)
    {
        Words words = _words;
        words[index] = value;
        return new(words);
    }

    [InlineArray(WordsMax)]
    private struct Words
    {
        [SuppressMessage("Roslynator", "RCS1213", Justification = "The compiler reads it as the first of the words.")]
        private ulong _first;
    }
}
