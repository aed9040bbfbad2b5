using System.CommandLine;
using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>What every command that explores was asked: limits of a check, a run to replay, and whether to write JSON.</summary>
internal abstract record RunLimits
{
    /// <summary>Limit of each check where a command runs many of them by itself, unless <c>--time</c> says otherwise.</summary>
    private static readonly TimeSpan TimeInBatch = TimeSpan.FromSeconds(60);

    /// <summary>States that the search for a minimal counterexample may visit in such a batch.</summary>
    protected const int MinimiserStatesInBatch = 40_000;

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    protected RunLimits(ParseResult parsed, CommandTree tree)
    {
        IsQuiet = parsed.GetValue(tree.Quiet);
        IsFullTrace = parsed.GetValue(tree.Trace) is { } word && OptionValues.Word("--trace", word, "full").Length > 0;
        Json = parsed.GetValue(tree.Json);
        MemoryBytes = parsed.GetValue(tree.Memory) is { } memory ? OptionValues.Bytes("--memory", memory) : null;
        Time = parsed.GetValue(tree.Time) is { } time ? OptionValues.Time("--time", time) : null;
        Workers = parsed.GetValue(tree.Workers) is { } workers ? OptionValues.Workers("--workers", workers) : null;
        Reduction = !parsed.GetValue(tree.NoReduction);
        Schedule = parsed.GetValue(tree.Schedule) is { } schedule ? ReplayCommand.Joined(schedule) : null;
    }

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

    /// <summary>A run to replay.</summary>
    public string? Schedule { get; }

    /// <summary>True with <c>--quiet</c>.</summary>
    protected bool IsQuiet { get; }

    /// <summary>True with <c>--trace full</c>.</summary>
    protected bool IsFullTrace { get; }

    /// <summary>True if progress may be shown.</summary>
    public bool ShowsProgress => !Json && !IsQuiet;

    /// <summary>Limits of a check on this host.</summary>
    /// <param name="host">Has the defaults.</param>
    /// <param name="interrupted">Ctrl-C.</param>
    public virtual CheckOptions Options(CliHost host, CancellationToken interrupted) => new()
    {
        Workers = Workers ?? host.Workers,
        MemoryBytes = MemoryBytes ?? host.MemoryBytes,
        Time = Time,
        Reduction = Reduction,
        Cancellation = interrupted,
        Schedule = Schedule,
    };

    /// <summary>Limits of one of many checks that nobody has named: none may take long.</summary>
    public CheckOptions BatchOptions(CliHost host, CancellationToken interrupted) => Options(host, interrupted) with
    {
        Time = Time ?? TimeInBatch,
        MinimiserStatesMax = MinimiserStatesInBatch,
    };

    /// <summary>Progress of a batch; null if none may be shown.</summary>
    public BatchProgressPrinter? Progress(CliHost host, string unit)
        => ShowsProgress ? new BatchProgressPrinter(host.Error, host.ErrorIsTerminal, unit) : null;

    /// <summary>Runs checks; a schedule that does not fit is the user's mistake.</summary>
    /// <exception cref="UsageException">The schedule does not fit.</exception>
    public static T Exploring<T>(Func<T> run)
    {
        try
        {
            return run();
        }
        catch (ScheduleException exception)
        {
            throw new UsageException($"--schedule: {exception.Message}");
        }
    }
}
