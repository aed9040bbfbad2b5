using Shootdown.Catalogue;
using Shootdown.Cli;
using Shootdown.Tests.Cli;

namespace Shootdown.Tests.Docs;

/// <summary>What the pages of the seed mails show is what the program answers; SHOOTDOWN_UPDATE_GOLDEN=1 writes them anew.</summary>
public sealed class SeedPagesTests
{
    public static TheoryData<string> Pages => [.. SeedPages.All];

    [Theory]
    [MemberData(nameof(Pages))]
    public void The_page_shows_what_the_program_answers(string page)
    {
        string fresh = SeedPages.Refreshed(page, Print);
        if (Environment.GetEnvironmentVariable("SHOOTDOWN_UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(Repository.PathOf(page), fresh);
        }

        string shown = Repository.Read(page);
        Assert.True(shown == fresh, $"{page} is out of date: run the test with SHOOTDOWN_UPDATE_GOLDEN=1\n"
            + GoldenFile.Difference(shown.Split('\n'), fresh.Split('\n')));
    }

    [Fact]
    public void Every_item_is_on_the_page_of_its_mail()
    {
        Assert.Equal(
            SeedList.All.Select(item => $"docs/seeds/{item.Id[1..4]}.md {item.Id}"),
            SeedPages.All.SelectMany(page => SeedPages.ItemsOf(page).Select(id => $"{page} {id}")).Order(StringComparer.Ordinal));
    }

    private static string Print(string id)
    {
        (int exitCode, string output, _) = CommandRun.Of("seeds", id, "--workers", "1", "--time", "10m", "--quiet");
        Assert.Equal(ExitCode.Pass, exitCode);
        return output;
    }
}
