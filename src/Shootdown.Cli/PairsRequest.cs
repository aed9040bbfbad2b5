using System.CommandLine;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>What <c>pairs</c> was asked to do, with every value understood.</summary>
internal sealed record PairsRequest
{
    /// <summary>Ids of operations, as typed.</summary>
    public required IReadOnlyList<string> Operations { get; init; }

    /// <summary>Files with operations and patches.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>The scenario whose bug is switched on; null for none.</summary>
    public required string? Bug { get; init; }

    /// <summary>True for three operations at a time.</summary>
    public required bool Triples { get; init; }

    /// <summary>True to list the operations only.</summary>
    public required bool ListsOperations { get; init; }

    /// <summary>One machine; null for all.</summary>
    public required string? Machine { get; init; }

    /// <summary>Memory model; null for that of the bug.</summary>
    public required string? Model { get; init; }

    /// <summary>Bytes for the tables of states; null for the default.</summary>
    public required long? MemoryBytes { get; init; }

    /// <summary>Limit of wall time for each machine.</summary>
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

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public static PairsRequest Read(ParseResult parsed, CommandTree tree)
    {
        string[] names = parsed.GetValue(tree.Ids) ?? [];
        bool isQuiet = parsed.GetValue(tree.Quiet);
        string? trace = parsed.GetValue(tree.Trace) is { } word ? OptionValues.Word("--trace", word, "full") : null;
        if (isQuiet && trace is not null)
        {
            throw new UsageException("--quiet and --trace full contradict each other");
        }

        var request = new PairsRequest
        {
            Operations = [.. names.Where(name => !SingleFileTypes.IsFile(name))],
            Files = [.. names.Where(SingleFileTypes.IsFile)],
            Bug = parsed.GetValue(tree.Bug),
            Triples = parsed.GetValue(tree.Triples),
            ListsOperations = parsed.GetValue(tree.Operations),
            Machine = parsed.GetValue(tree.Machine),
            Model = parsed.GetValue(tree.Model) is { } model ? ModelNames.Read("--model", model) : null,
            MemoryBytes = parsed.GetValue(tree.Memory) is { } memory ? OptionValues.Bytes("--memory", memory) : null,
            Time = parsed.GetValue(tree.Time) is { } time ? OptionValues.Time("--time", time) : null,
            Workers = parsed.GetValue(tree.Workers) is { } workers ? OptionValues.Workers("--workers", workers) : null,
            Reduction = !parsed.GetValue(tree.NoReduction),
            Json = parsed.GetValue(tree.Json),
            Detail = isQuiet ? CheckDetail.VerdictOnly : trace is not null ? CheckDetail.FullTrace : CheckDetail.Diagram,
            Schedule = parsed.GetValue(tree.Schedule) is { } schedule ? ReplayCommand.Joined(schedule) : null,
        };
        request.RequireOneRun();
        return request;
    }

    private void RequireOneRun()
    {
        int most = Triples ? 3 : 2;
        if (Operations.Count > most)
        {
            throw new UsageException($"{Operations.Count} operations are too many: {most} at a time{(Triples ? string.Empty : "; --triples takes three")}");
        }

        if (Schedule is not null && (Operations.Count != most || Machine is null))
        {
            throw new UsageException($"--schedule replays one run: give {most} operations and --machine");
        }
    }
}
