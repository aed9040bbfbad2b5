using System.Text;
using Shootdown.Machine;

namespace Shootdown.Tests.Engine;

/// <summary>The fingerprint functions against published vectors.</summary>
public sealed class Hash128Tests
{
    /// <summary>MurmurHash3_x64_128 with seed 0 of the empty input, and of the usual test sentence, as its reference code gives them.</summary>
    [Fact]
    public void Murmur3_x64_128()
    {
        Assert.Equal(new Hash128(0, 0), Hash128.OfBytes([], 0));
        Hash128 fox = Hash128.OfBytes(Encoding.ASCII.GetBytes("The quick brown fox jumps over the lazy dog"), 0);
        Assert.Equal(unchecked((long)0xe34bbc7bbc071b6c), fox.Low);
        Assert.Equal(0x7a433ca9c49a9347, fox.High);
    }

    /// <summary>SplitMix64 from seed 0: the first outputs that the reference generator prints.</summary>
    [Fact]
    public void SplitMix64_from_zero()
    {
        Assert.Equal(0xe220a8397b1dcdafUL, Hash128.SplitMix(0));
        Assert.Equal(0x6e789e6aa1b965f4UL, Hash128.SplitMix(1));
        Assert.Equal(0x06c45d188009454fUL, Hash128.SplitMix(2));
    }

    [Fact]
    public void Mix_is_the_murmur3_finaliser()
    {
        Assert.Equal(0UL, Hash128.Mix(0));
        Assert.Equal(0xb456bcfc34c2cb2cUL, Hash128.Mix(1));
    }
}
