using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Tests.Report;

public sealed class QuantityTests
{
    [Theory]
    [InlineData(0, "0")]
    [InlineData(950, "950")]
    [InlineData(999.7, "1.0 k")]
    [InlineData(12_345, "12.3 k")]
    [InlineData(999_949, "1000 k")]
    [InlineData(1_400_000, "1.4 M")]
    [InlineData(123_400_000, "123 M")]
    [InlineData(7e9, "7.0 G")]
    public void Rounded(double value, string expected) => Assert.Equal(expected, Quantity.Rounded(value));

    [Theory]
    [InlineData(512, "512 B")]
    [InlineData(900 * 1024, "900 kB")]
    [InlineData(512L << 20, "512 MB")]
    [InlineData(9L << 30, "9216 MB")]
    [InlineData(35L << 29, "17.5 GB")]
    public void Bytes(long bytes, string expected) => Assert.Equal(expected, Quantity.Bytes(bytes));

    [Theory]
    [InlineData(0.004, "4 ms")]
    [InlineData(0.314, "0.31 s")]
    [InlineData(9.994, "9.99 s")]
    [InlineData(42.2, "42 s")]
    [InlineData(59.6, "1 min 00 s")]
    [InlineData(185, "3 min 05 s")]
    public void Elapsed(double seconds, string expected) => Assert.Equal(expected, Quantity.Elapsed(seconds));

    [Theory]
    [InlineData(0, "00:00")]
    [InlineData(12.9, "00:12")]
    [InlineData(3723, "1:02:03")]
    [InlineData(360_000, "100:00:00")]
    public void Clock(double seconds, string expected) => Assert.Equal(expected, Quantity.Clock(seconds));

    [Fact]
    public void Progress()
    {
        var now = new CheckProgress("exploring", 12_345_678, 98_000_000, 412, 512L << 20, 12.4);
        Assert.Equal("states 12.3 M  1.4 M/s  depth 412  mem 512 MB  00:12", ProgressText.Line(now, 1_400_000));
        Assert.StartsWith("minimising  states", ProgressText.Line(now with { Phase = "minimising" }, 0), StringComparison.Ordinal);
    }

    [Fact]
    public void Prose_is_wrapped_and_long_words_stay_whole()
    {
        Assert.Equal(["  aa bb", "  cc"], Paragraph.Wrap("aa bb cc", "  ", "  ", 8));
        Assert.Equal(["aaaaaaaaaaaa", "b"], Paragraph.Wrap("aaaaaaaaaaaa b", "", "", 8));
        Assert.Equal(["  a b", "", "  c"], Paragraph.WrapAll("a\nb\n\n\n\nc\n", "  "));
    }
}
