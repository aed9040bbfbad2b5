using System.CommandLine;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>What <c>check</c> was asked to do, with every value understood.</summary>
internal sealed record CheckRequest
{
    /// <summary>Ids, numbers and files, as typed.</summary>
    public required IReadOnlyList<string> Targets { get; init; }

    /// <summary>True for the whole catalogue.</summary>
    public required bool All { get; init; }

    /// <summary>Tags that select scenarios.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary><c>bug</c>, <c>fix</c> or <c>both</c>.</summary>
    public required string Variant { get; init; }

    /// <summary>Memory model; null for the scenario's own.</summary>
    public required string? Model { get; init; }

    /// <summary>Bounds by name.</summary>
    public required BoundRequest Bounds { get; init; }

    /// <summary>Bounds that have an option of their own.</summary>
    public required IReadOnlyList<string> ShortBounds { get; init; }

    /// <summary>Bytes for the table of states; null for the default.</summary>
    public required long? MemoryBytes { get; init; }

    /// <summary>Limit of wall time for each check.</summary>
    public required TimeSpan? Time { get; init; }

    /// <summary>Threads; null for the default.</summary>
    public required int? Workers { get; init; }

    /// <summary>False with <c>--no-reduction</c>.</summary>
    public required bool Reduction { get; init; }

    /// <summary>True for one JSON document instead of text.</summary>
    public required bool Json { get; init; }

    /// <summary>How much text.</summary>
    public required CheckDetail Detail { get; init; }

    /// <summary>A run to replay.</summary>
    public required string? Schedule { get; init; }

    /// <summary>True if the exit code compares with the catalogue.</summary>
    public required bool Expect { get; init; }

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public static CheckRequest Read(ParseResult parsed, CommandTree tree)
    {
        string? Text(Option<string> option) => parsed.GetValue(option);
        bool isQuiet = parsed.GetValue(tree.Quiet);
        string? trace = Text(tree.Trace) is { } word ? OptionValues.Word("--trace", word, "full") : null;
        if (isQuiet && trace is not null)
        {
            throw new UsageException("--quiet and --trace full contradict each other");
        }

        var request = new CheckRequest
        {
            Targets = parsed.GetValue(tree.Ids) ?? [],
            All = parsed.GetValue(tree.All),
            Tags = parsed.GetValue(tree.Tags) ?? [],
            Variant = Text(tree.VariantName) is { } variant
                ? OptionValues.Word("--variant", variant, VariantNames.Bug, VariantNames.Fix, VariantNames.Both)
                : VariantNames.Both,
            Model = Text(tree.Model) is { } model ? ModelNames.Read("--model", model) : null,
            Bounds = ReadBounds(parsed, tree),
            ShortBounds = [.. tree.BoundOptions.Select(option => option.Name.TrimStart('-'))],
            MemoryBytes = Text(tree.Memory) is { } memory ? OptionValues.Bytes("--memory", memory) : null,
            Time = Text(tree.Time) is { } time ? OptionValues.Time("--time", time) : null,
            Workers = Text(tree.Workers) is { } workers ? OptionValues.Workers("--workers", workers) : null,
            Reduction = !parsed.GetValue(tree.NoReduction),
            Json = parsed.GetValue(tree.Json),
            Detail = isQuiet ? CheckDetail.VerdictOnly : trace is not null ? CheckDetail.FullTrace : CheckDetail.Diagram,
            Schedule = Text(tree.Schedule) is { } schedule ? ReplayCommand.Joined(schedule) : null,
            Expect = parsed.GetValue(tree.Expect),
        };
        request.RequireOneSelection();
        return request;
    }

    /// <summary>True if progress may be shown.</summary>
    public bool ShowsProgress => !Json && Detail != CheckDetail.VerdictOnly;

    private static BoundRequest ReadBounds(ParseResult parsed, CommandTree tree)
    {
        var bounds = new BoundRequest();
        foreach (Option<string> option in tree.BoundOptions)
        {
            if (parsed.GetValue(option) is { } value)
            {
                bounds.Add(option.Name.TrimStart('-'), value);
            }
        }

        foreach (string pair in parsed.GetValue(tree.Bounds) ?? [])
        {
            bounds.AddPair(pair);
        }

        return bounds;
    }

    private void RequireOneSelection()
    {
        int selections = (Targets.Count > 0 ? 1 : 0) + (All ? 1 : 0) + (Tags.Count > 0 ? 1 : 0);
        if (selections != 1)
        {
            string problem = selections == 0 ? "nothing to check" : "too much to check";
            throw new UsageException($"{problem}: give scenario IDs, or --all, or --tag T", "./shootdown list");
        }

        if (Schedule is not null && (Targets.Count != 1 || Variant == VariantNames.Both))
        {
            throw new UsageException("--schedule replays one run: give one ID and --variant bug or --variant fix");
        }
    }
}
