using System.CommandLine;
using System.Globalization;
using Shootdown.Measure;

namespace Shootdown.Cli;

/// <summary>What <c>replay</c> was asked to do.</summary>
internal sealed record ReplayRequest
{
    /// <summary>The trace.</summary>
    public required string File { get; init; }

    /// <summary>What to look at.</summary>
    public required ReplaySelection Selection { get; init; }

    /// <summary>The kernel to replay; null for the one that fits the trace.</summary>
    public required TimedProfile? Kernel { get; init; }

    /// <summary>Flush designs to replay the trace under as well.</summary>
    public required IReadOnlyList<FlushPolicy> Policies { get; init; }

    /// <summary>False if the recorded machine had no swap.</summary>
    public required bool? HasSwap { get; init; }

    /// <summary>When the recorded machine mapped huge pages; null for what the trace tells.</summary>
    public required HugePageMode? HugePages { get; init; }

    /// <summary>What things cost.</summary>
    public required CostTable Costs { get; init; }

    /// <summary>True for one JSON document instead of text.</summary>
    public required bool Json { get; init; }

    /// <summary>File for the page with pictures; null for none.</summary>
    public required string? Html { get; init; }

    /// <summary>File for the timeline; null for none.</summary>
    public required string? TraceOut { get; init; }

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public static ReplayRequest Read(ParseResult parsed, CommandTree tree)
    {
        string[] files = parsed.GetValue(tree.Ids) ?? [];
        if (files.Length != 1)
        {
            throw new UsageException(
                files.Length == 0 ? "replay takes a trace" : $"replay takes one trace, not {files.Length}", "./shootdown replay --help");
        }

        return new ReplayRequest
        {
            File = files[0],
            Selection = new ReplaySelection(parsed.GetValue(tree.Pid) is { } pid ? ProcessId(pid) : null, parsed.GetValue(tree.Comm)),
            Kernel = parsed.GetValue(tree.Kernel) is { } kernel ? Profile(kernel) : null,
            Policies = parsed.GetValue(tree.Policy) is { } policy ? FlushOptions.Policies(policy) : [],
            HasSwap = parsed.GetValue(tree.NoSwap) ? false : null,
            HugePages = parsed.GetValue(tree.Thp) is { } thp ? HugePagesOf(thp) : null,
            Costs = FlushOptions.Costs(parsed.GetValue(tree.Costs)),
            Json = parsed.GetValue(tree.Json),
            Html = parsed.GetValue(tree.Html),
            TraceOut = parsed.GetValue(tree.TraceOut),
        };
    }

    /// <summary>Reads <c>--pid</c>.</summary>
    public static int ProcessId(string text)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && pid > 0
            ? pid
            : throw new UsageException($"--pid '{text}': expected the number of a process");

    private static HugePageMode HugePagesOf(string text)
        => RecordedSystem.ModeOf(text) ?? throw new UsageException($"--thp '{text}': expected always, madvise or never");

    private static TimedProfile Profile(string text)
        => TimedProfile.All.FirstOrDefault(profile => profile.Name == text)
            ?? throw new UsageException($"--kernel '{text}': expected {string.Join(" or ", TimedProfile.All.Select(profile => profile.Name))}");
}
