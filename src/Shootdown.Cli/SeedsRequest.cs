using System.CommandLine;
using Shootdown.Catalogue;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>What <c>seeds</c> was asked to do, with every value understood.</summary>
internal sealed record SeedsRequest
{
    private const string Hint = "./shootdown seeds --help";

    /// <summary>The items.</summary>
    public required IReadOnlyList<SeedItem> Items { get; init; }

    /// <summary>One run of one item; null for all.</summary>
    public required string? Run { get; init; }

    /// <summary>Bytes for the tables of states; null for the default.</summary>
    public required long? MemoryBytes { get; init; }

    /// <summary>Limit of wall time for each run.</summary>
    public required TimeSpan? Time { get; init; }

    /// <summary>Threads; null for the default.</summary>
    public required int? Workers { get; init; }

    /// <summary>True for one JSON document instead of text.</summary>
    public required bool Json { get; init; }

    /// <summary>True for no progress.</summary>
    public required bool IsQuiet { get; init; }

    /// <summary>How much of a violating run.</summary>
    public required CheckDetail Detail { get; init; }

    /// <summary>A run to replay.</summary>
    public required string? Schedule { get; init; }

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public static SeedsRequest Read(ParseResult parsed, CommandTree tree)
    {
        string[] names = parsed.GetValue(tree.Ids) ?? [];
        string? trace = parsed.GetValue(tree.Trace) is { } word ? OptionValues.Word("--trace", word, "full") : null;
        var request = new SeedsRequest
        {
            Items = names.Length == 0 ? SeedList.All : [.. names.SelectMany(Find).Distinct()],
            Run = parsed.GetValue(tree.RunName),
            MemoryBytes = parsed.GetValue(tree.Memory) is { } memory ? OptionValues.Bytes("--memory", memory) : null,
            Time = parsed.GetValue(tree.Time) is { } time ? OptionValues.Time("--time", time) : null,
            Workers = parsed.GetValue(tree.Workers) is { } workers ? OptionValues.Workers("--workers", workers) : null,
            Json = parsed.GetValue(tree.Json),
            IsQuiet = parsed.GetValue(tree.Quiet),
            Detail = trace is null ? CheckDetail.Diagram : CheckDetail.FullTrace,
            Schedule = parsed.GetValue(tree.Schedule) is { } schedule ? ReplayCommand.Joined(schedule) : null,
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
