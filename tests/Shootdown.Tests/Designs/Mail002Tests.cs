using Shootdown.Catalogue;
using Shootdown.Check;

namespace Shootdown.Tests.Designs;

/// <summary>The items of the second mail: every run decides, and the answers rest on them.</summary>
public sealed class Mail002Tests
{
    public static TheoryData<string, string> Answers => new()
    {
        { "S002-01", "under 6.12, per mm, area, table: 3, 2, 1, 1 with the hint in another area; 3, 2, 2, 1 with the hint in another table" },
        { "S002-02", "safe under x86-tso iff the change is atomic or a full fence follows" },
        { "S002-03", "3 of 3 changes to them are" },
        { "S002-04", "it never fails in 26 exhaustive explorations, 18 of which evaluate it" },
        { "S002-05", "found with 1 PCID too" },
        { "S002-06", "two changes: every run has a full flush" },
        { "S002-07", "5 of 8 are safe: a generation if others took one, flush aimed at a new one, readers look at the count of gathers; and always incrementing" },
        { "S002-08", "safe if all of (a) to (g) are right, each mistake loses a flush" },
        { "S002-09", "mmap_lock for writing suffices" },
        { "S002-10", "no store is lost" },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public void Item_is_answered(string id, string text)
    {
        SeedItem item = Assert.Single(SeedList.Find(id));
        SeedReport report = Assert.Single(SeedBatch.Run([item], new CheckOptions { Workers = 1 }));
        Assert.True(report.AsExpected, $"{report.Answer.Verdict}: {report.Answer.Text}");
        Assert.Contains(text, report.Answer.Text, StringComparison.Ordinal);
        Assert.InRange(item.Claim.Length, 1, 110);
        Assert.InRange(report.Answer.Text.Length, 1, 160);
    }
}
