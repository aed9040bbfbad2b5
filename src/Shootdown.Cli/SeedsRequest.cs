using System.CommandLine;
using Shootdown.Catalogue;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>What <c>seeds</c> was asked to do, with every value understood.</summary>
internal sealed record SeedsRequest : RunLimits
{
    private const string Hint = "./shootdown seeds --help";

    /// <summary>The items.</summary>
    public required IReadOnlyList<SeedItem> Items { get; init; }

    /// <summary>One run of one item; null for all.</summary>
    public required string? Run { get; init; }

    /// <summary>How much of a violating run.</summary>
    public CheckDetail Detail => IsFullTrace ? CheckDetail.FullTrace : CheckDetail.Diagram;

    private SeedsRequest(ParseResult parsed, CommandTree tree)
        : base(parsed, tree)
    {
    }

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public static SeedsRequest Read(ParseResult parsed, CommandTree tree)
    {
        string[] names = parsed.GetValue(tree.Ids) ?? [];
        var request = new SeedsRequest(parsed, tree)
        {
            Items = names.Length == 0 ? SeedList.All : [.. names.SelectMany(Find).Distinct()],
            Run = parsed.GetValue(tree.RunName),
        };
        if (request.Run is not null && request.Items.Count != 1)
        {
            throw new UsageException("--run names a run of one item: give its ID too", Hint);
        }

        return request.Schedule is null || request.Run is not null
            ? request
            : throw new UsageException("--schedule replays one run: give one item and --run", Hint);
    }

    private static IReadOnlyList<SeedItem> Find(string name)
    {
        IReadOnlyList<SeedItem> items = SeedList.Find(name);
        return items.Count > 0 ? items : throw new UsageException(
            $"there is no item '{name}'{ScenarioLookup.DidYouMean(name, SeedList.All.Select(item => item.Id))}", "./shootdown seeds --list");
    }
}
