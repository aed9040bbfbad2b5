using System.CommandLine;

namespace Shootdown.Cli;

/// <summary>What <c>pairs</c> was asked to do, with every value understood.</summary>
internal sealed record PairsRequest : RunRequest
{
    /// <summary>Ids of operations, as typed.</summary>
    public required IReadOnlyList<string> Operations { get; init; }

    /// <summary>Files with operations and patches.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>The scenario whose bug is switched on; null for none.</summary>
    public required string? Bug { get; init; }

    /// <summary>The patch of the files to apply; null for all of them.</summary>
    public required string? Patch { get; init; }

    /// <summary>True for three operations at a time.</summary>
    public required bool Triples { get; init; }

    /// <summary>True to list the operations only.</summary>
    public required bool ListsOperations { get; init; }

    /// <summary>One machine; null for all.</summary>
    public required string? Machine { get; init; }

    private PairsRequest(ParseResult parsed, CommandTree tree)
        : base(parsed, tree)
    {
    }

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public static PairsRequest Read(ParseResult parsed, CommandTree tree)
    {
        string[] names = parsed.GetValue(tree.Ids) ?? [];
        var request = new PairsRequest(parsed, tree)
        {
            Operations = [.. names.Where(name => !SingleFileTypes.IsFile(name))],
            Files = [.. names.Where(SingleFileTypes.IsFile)],
            Bug = parsed.GetValue(tree.Bug),
            Patch = parsed.GetValue(tree.Patch),
            Triples = parsed.GetValue(tree.Triples),
            ListsOperations = parsed.GetValue(tree.Operations),
            Machine = parsed.GetValue(tree.Machine),
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
