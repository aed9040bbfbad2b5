using System.CommandLine;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>What <c>check</c> and <c>pairs</c> have in common: limits of a run, and how to report it.</summary>
internal abstract record RunRequest
{
    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    protected RunRequest(ParseResult parsed, CommandTree tree)
    {
        bool isQuiet = parsed.GetValue(tree.Quiet);
        bool isFull = parsed.GetValue(tree.Trace) is { } word && OptionValues.Word("--trace", word, "full").Length > 0;
        if (isQuiet && isFull)
        {
            throw new UsageException("--quiet and --trace full contradict each other");
        }

        Detail = isQuiet ? CheckDetail.VerdictOnly : isFull ? CheckDetail.FullTrace : CheckDetail.Diagram;
        Json = parsed.GetValue(tree.Json);
        Model = parsed.GetValue(tree.Model) is { } model ? ModelNames.Read("--model", model) : null;
        MemoryBytes = parsed.GetValue(tree.Memory) is { } memory ? OptionValues.Bytes("--memory", memory) : null;
        Time = parsed.GetValue(tree.Time) is { } time ? OptionValues.Time("--time", time) : null;
        Workers = parsed.GetValue(tree.Workers) is { } workers ? OptionValues.Workers("--workers", workers) : null;
        Reduction = !parsed.GetValue(tree.NoReduction);
        Schedule = parsed.GetValue(tree.Schedule) is { } schedule ? ReplayCommand.Joined(schedule) : null;
    }

    /// <summary>Memory model; null for that of the scenario or the bug.</summary>
    public string? Model { get; }

    /// <summary>Bytes for the tables of states; null for the default.</summary>
    public long? MemoryBytes { get; }

    /// <summary>Limit of wall time for each check.</summary>
    public TimeSpan? Time { get; }

    /// <summary>Threads; null for the default.</summary>
    public int? Workers { get; }

    /// <summary>False with <c>--no-reduction</c>.</summary>
    public bool Reduction { get; }

    /// <summary>True for one JSON document instead of text.</summary>
    public bool Json { get; }

    /// <summary>How much text.</summary>
    public CheckDetail Detail { get; }

    /// <summary>A run to replay.</summary>
    public string? Schedule { get; }

    /// <summary>True if progress may be shown.</summary>
    public bool ShowsProgress => !Json && Detail != CheckDetail.VerdictOnly;
}
