using Shootdown.Measure;
using Shootdown.Tests.Docs;

namespace Shootdown.Tests.Measure;

/// <summary>docs/published.md shows what the model says today.</summary>
public sealed class PublishedTests
{
    [Fact]
    public void The_page_shows_the_table()
        => Assert.Contains(PublishedText.Table(), Repository.Read("docs/published.md"), StringComparison.Ordinal);
}
