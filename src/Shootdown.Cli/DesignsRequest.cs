using System.CommandLine;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>What <c>designs</c> was asked to do.</summary>
internal sealed record DesignsRequest : RunLimits
{
    /// <summary>Ids of designs, as typed; none for all.</summary>
    public required IReadOnlyList<string> Names { get; init; }

    /// <summary>Files with designs and workloads.</summary>
    public required IReadOnlyList<string> Files { get; init; }

    /// <summary>One workload; null for all.</summary>
    public required string? Workload { get; init; }

    /// <summary>How much text.</summary>
    public CheckDetail Detail => IsQuiet ? CheckDetail.VerdictOnly : IsFullTrace ? CheckDetail.FullTrace : CheckDetail.Diagram;

    private DesignsRequest(ParseResult parsed, CommandTree tree)
        : base(parsed, tree)
    {
    }

    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    public static DesignsRequest Read(ParseResult parsed, CommandTree tree)
    {
        string[] names = parsed.GetValue(tree.Ids) ?? [];
        return new DesignsRequest(parsed, tree)
        {
            Names = [.. names.Where(name => !SingleFileTypes.IsFile(name))],
            Files = [.. names.Where(SingleFileTypes.IsFile)],
            Workload = parsed.GetValue(tree.Workload),
        };
    }
}
