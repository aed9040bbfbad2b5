using System.CommandLine;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>What <c>check</c> and <c>pairs</c> have in common: a memory model, and one choice of how much to write.</summary>
internal abstract record RunRequest : RunLimits
{
    /// <summary>Reads the values.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    protected RunRequest(ParseResult parsed, CommandTree tree)
        : base(parsed, tree)
    {
        if (IsQuiet && IsFullTrace)
        {
            throw new UsageException("--quiet and --trace full contradict each other");
        }

        Detail = IsQuiet ? CheckDetail.VerdictOnly : IsFullTrace ? CheckDetail.FullTrace : CheckDetail.Diagram;
        Model = parsed.GetValue(tree.Model) is { } model ? ModelNames.Read("--model", model) : null;
    }

    /// <summary>Memory model; null for that of the scenario or the bug.</summary>
    public string? Model { get; }

    /// <summary>How much text.</summary>
    public CheckDetail Detail { get; }
}
