using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Shootdown.Machine;

/// <summary>
/// A 128-bit fingerprint that is the same in every process. Sequences use MurmurHash3 x64 128 (Austin Appleby, public
/// domain); single words use its 64-bit finaliser with SplitMix64 keys. Both are tested against published vectors.
/// </summary>
/// <param name="Low">Bits 0 to 63.</param>
/// <param name="High">Bits 64 to 127.</param>
public readonly record struct Hash128(long Low, long High)
{
    /// <summary>The hash of a text's UTF-8 bytes.</summary>
    public static Hash128 OfText(string text) => OfBytes(Encoding.UTF8.GetBytes(text), 0);

    /// <summary>The hash of a sequence of 64-bit values, as little-endian bytes.</summary>
    public static Hash128 OfWords(ReadOnlySpan<long> words, uint seed) => OfBytes(MemoryMarshal.AsBytes(words), seed);

    /// <summary>MurmurHash3_x64_128.</summary>
    public static Hash128 OfBytes(ReadOnlySpan<byte> data, uint seed)
    {
        const ulong C1 = 0x87c37b91114253d5;
        const ulong C2 = 0x4cf5ad432745937f;
        ulong h1 = seed;
        ulong h2 = seed;
        ReadOnlySpan<ulong> blocks = MemoryMarshal.Cast<byte, ulong>(data[..(data.Length & ~15)]);
        for (int i = 0; i < blocks.Length; i += 2)
        {
            h1 ^= BitOperations.RotateLeft(blocks[i] * C1, 31) * C2;
            h1 = ((BitOperations.RotateLeft(h1, 27) + h2) * 5) + 0x52dce729;
            h2 ^= BitOperations.RotateLeft(blocks[i + 1] * C2, 33) * C1;
            h2 = ((BitOperations.RotateLeft(h2, 31) + h1) * 5) + 0x38495ab5;
        }

        ReadOnlySpan<byte> tail = data[(data.Length & ~15)..];
        ulong k1 = 0;
        ulong k2 = 0;
        for (int i = 0; i < tail.Length; i++)
        {
            if (i < 8)
            {
                k1 |= (ulong)tail[i] << (8 * i);
            }
            else
            {
                k2 |= (ulong)tail[i] << (8 * (i - 8));
            }
        }

        h2 ^= BitOperations.RotateLeft(k2 * C2, 33) * C1;
        h1 ^= BitOperations.RotateLeft(k1 * C1, 31) * C2;
        h1 ^= (ulong)data.Length;
        h2 ^= (ulong)data.Length;
        h1 += h2;
        h2 += h1;
        h1 = Mix(h1);
        h2 = Mix(h2);
        h1 += h2;
        h2 += h1;
        return new Hash128((long)h1, (long)h2);
    }

    /// <summary>The MurmurHash3 64-bit finaliser: a bijection in which every input bit changes every output bit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Mix(ulong x)
    {
        x ^= x >> 33;
        x *= 0xff51afd7ed558ccd;
        x ^= x >> 33;
        x *= 0xc4ceb9fe1a85ec53;
        return x ^ (x >> 33);
    }

    /// <summary>The value at a position of the SplitMix64 sequence that starts at 0 (Steele, Lea, Flood 2014).</summary>
    public static ulong SplitMix(ulong index)
    {
        ulong z = unchecked((index + 1) * 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
