using System.CommandLine;
using System.Globalization;
using Shootdown.Machine;
using Shootdown.Measure;

namespace Shootdown.Cli;

/// <summary>What <c>measure</c> was asked to do, with every value understood.</summary>
internal sealed record MeasureRequest
{
    private const int CpusMax = CpuSet.CpusMax;
    private const int DefaultCpus = 8;
    private static readonly TimeSpan DefaultTime = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan TimeMax = TimeSpan.FromMinutes(10);

    /// <summary>The workload; null to list them.</summary>
    public required Workload? Workload { get; init; }

    /// <summary>Numbers of CPUs.</summary>
    public required IReadOnlyList<int> Cpus { get; init; }

    /// <summary>Flush designs.</summary>
    public required IReadOnlyList<FlushPolicy> Policies { get; init; }

    /// <summary>Virtual time of each run.</summary>
    public required TimeSpan Time { get; init; }

    /// <summary>Seed of all that is random.</summary>
    public required ulong Seed { get; init; }

    /// <summary>What things cost.</summary>
    public required CostTable Costs { get; init; }

    /// <summary>True for one JSON document.</summary>
    public required bool Json { get; init; }

    /// <summary>True for comma-separated values.</summary>
    public required bool Csv { get; init; }

    /// <summary>Where the page with pictures goes; null for nowhere.</summary>
    public required string? Html { get; init; }

    /// <summary>True if all policies were asked for: what is left out is named then.</summary>
    public required bool AllPolicies { get; init; }

    /// <summary>Where the timeline goes; null for nowhere.</summary>
    public required string? TraceOut { get; init; }

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public static MeasureRequest Read(ParseResult parsed, CommandTree tree)
    {
        string[] names = parsed.GetValue(tree.Ids) ?? [];
        if (names.Length > 1)
        {
            throw new UsageException($"{names.Length} workloads are too many: one at a time");
        }

        TimeSpan time = parsed.GetValue(tree.Time) is { } text ? OptionValues.Time("--time", text) : DefaultTime;
        var request = new MeasureRequest
        {
            Workload = names.Length == 0 ? null : FlushOptions.Named(names[0], "workload", Workload.Find, Workload.All.Select(workload => workload.Name)),
            Cpus = parsed.GetValue(tree.MeasureCpus) is { } cpus ? CpuCounts(cpus) : [DefaultCpus],
            Policies = parsed.GetValue(tree.Policy) is { } policy ? FlushOptions.Policies(policy) : [FlushPolicy.All[0]],
            Time = time <= TimeMax ? time : throw new UsageException($"--time '{parsed.GetValue(tree.Time)}': expected at most 10m of virtual time"),
            Seed = parsed.GetValue(tree.Seed) is { } seed ? OptionValues.Seed("--seed", seed) : 1,
            Costs = FlushOptions.Costs(parsed.GetValue(tree.Costs)),
            Json = parsed.GetValue(tree.Json),
            Csv = parsed.GetValue(tree.Csv),
            Html = parsed.GetValue(tree.Html),
            AllPolicies = parsed.GetValue(tree.Policy) == "all",
            TraceOut = parsed.GetValue(tree.TraceOut),
        };
        request.RequireSense();
        return request;
    }

    /// <summary>A number, or a range that is gone through in powers of two: <c>2..512</c>.</summary>
    private static IReadOnlyList<int> CpuCounts(string text)
    {
        string[] ends = text.Split("..");
        int[] numbers = [.. ends.Select(end => int.TryParse(end, NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value : 0)];
        if (ends.Length > 2 || numbers.Any(number => number is < 2 or > CpusMax) || numbers[0] > numbers[^1])
        {
            throw new UsageException($"--cpus '{text}': expected a number from 2 to {CpusMax}, or a range such as 2..{CpusMax}");
        }

        var counts = new List<int>();
        for (int count = numbers[0]; count < numbers[^1]; count *= 2)
        {
            counts.Add(count);
        }

        return [.. counts, numbers[^1]];
    }

    private void RequireSense()
    {
        if (Json && Csv)
        {
            throw new UsageException("--json and --csv contradict each other");
        }

        if (TraceOut is not null && (Cpus.Count > 1 || Policies.Count > 1))
        {
            throw new UsageException("--trace-out writes one run: give one number of CPUs and one policy");
        }
    }
}
