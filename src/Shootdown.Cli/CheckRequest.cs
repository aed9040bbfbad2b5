using System.CommandLine;
using Shootdown.Check;

namespace Shootdown.Cli;

/// <summary>What <c>check</c> was asked to do, with every value understood.</summary>
internal sealed record CheckRequest : RunRequest
{
    /// <summary>Ids, numbers and files, as typed.</summary>
    public required IReadOnlyList<string> Targets { get; init; }

    /// <summary>True for the whole catalogue.</summary>
    public required bool All { get; init; }

    /// <summary>Tags that select scenarios.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary><c>bug</c>, <c>fix</c> or <c>both</c>.</summary>
    public required string Variant { get; init; }

    /// <summary>Bounds by name.</summary>
    public required BoundRequest Bounds { get; init; }

    /// <summary>Bounds that have an option of their own.</summary>
    public required IReadOnlyList<string> ShortBounds { get; init; }

    /// <summary>True if the exit code compares with the catalogue.</summary>
    public required bool Expect { get; init; }

    /// <summary>True to count what runs cost too.</summary>
    public required bool Cost { get; init; }

    /// <summary>Random schedules to run instead of exploring; null for exploring.</summary>
    public required long? RandomRuns { get; init; }

    /// <summary>What they are drawn from.</summary>
    public required ulong? RandomSeed { get; init; }

    private CheckRequest(ParseResult parsed, CommandTree tree)
        : base(parsed, tree)
    {
    }

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public static CheckRequest Read(ParseResult parsed, CommandTree tree)
    {
        string? Text(Option<string> option) => parsed.GetValue(option);
        var request = new CheckRequest(parsed, tree)
        {
            Targets = parsed.GetValue(tree.Ids) ?? [],
            All = parsed.GetValue(tree.All),
            Tags = parsed.GetValue(tree.Tags) ?? [],
            Variant = Text(tree.VariantName) is { } variant
                ? OptionValues.Word("--variant", variant, VariantNames.Bug, VariantNames.Fix, VariantNames.Both)
                : VariantNames.Both,
            Bounds = ReadBounds(parsed, tree),
            ShortBounds = [.. tree.BoundOptions.Select(option => option.Name.TrimStart('-'))],
            Expect = parsed.GetValue(tree.Expect),
            Cost = parsed.GetValue(tree.Cost),
            RandomRuns = Text(tree.Random) is { } runs ? OptionValues.Runs("--random", runs) : null,
            RandomSeed = Text(tree.Seed) is { } seed ? OptionValues.Seed("--seed", seed) : null,
        };
        request.RequireOneSelection();
        request.RequireRandomAlone();
        return request;
    }

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

    /// <inheritdoc/>
    public override CheckOptions Options(CliHost host, CancellationToken interrupted)
    {
        CheckOptions options = base.Options(host, interrupted);
        return RandomRuns is not { } runs ? options : options with
        {
            RandomRuns = runs,
            RandomSeed = RandomSeed ?? options.RandomSeed,
            MinimiserStatesMax = MinimiserStatesInBatch,
        };
    }

    /// <summary>Random schedules answer for nothing but themselves.</summary>
    private void RequireRandomAlone()
    {
        if (RandomRuns is null && RandomSeed is not null)
        {
            throw new UsageException("--seed is what random schedules are drawn from: give --random RUNS too");
        }

        string? other = Expect ? "--expect" : Cost ? "--cost" : Schedule is not null ? "--schedule" : Reduction ? null : "--no-reduction";
        if (RandomRuns is not null && other is not null)
        {
            throw new UsageException($"--random runs some schedules and {other} makes no sense of those: leave one of them away");
        }
    }

    private void RequireOneSelection()
    {
        int selections = (Targets.Count > 0 ? 1 : 0) + (All ? 1 : 0) + (Tags.Count > 0 ? 1 : 0);
        if (selections != 1)
        {
            string problem = selections == 0 ? "nothing to check" : "too much to check";
            throw new UsageException($"{problem}: give scenario IDs, or --all, or --tag T", "./shootdown list");
        }

        if (Schedule is not null && Cost)
        {
            throw new UsageException("--cost counts over all runs, --schedule replays one: leave one of them away");
        }

        if (Schedule is not null && (Targets.Count != 1 || Variant == VariantNames.Both))
        {
            throw new UsageException("--schedule replays one run: give one ID and --variant bug or --variant fix");
        }
    }
}
