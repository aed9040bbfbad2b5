using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>What a verdict rests on: model, bounds, counts, coverage, and how to see the run again.</summary>
public static class Footer
{
    private const string Margin = "  ";
    private const int LabelWidth = 10;

    /// <summary>Lines of at most 72 columns.</summary>
    public static IReadOnlyList<string> Lines(CheckReport report, CheckInvocation invocation)
    {
        var lines = new List<string>();
        Add(lines, "model", ModelText(report, invocation));
        if (invocation.IsReplay)
        {
            AddReplayed(lines, report);
        }
        else if (report.Stats.Workers > 0 && report.Verdict != Verdict.Unsupported)
        {
            AddExplored(lines, report);
        }

        if (report.Counterexample is { } run)
        {
            string hanging = Margin + new string(' ', LabelWidth) + Margin;
            lines.AddRange(ReplayCommand.Lines(invocation, run.Schedule, Label("replay"), hanging));
        }

        return lines;
    }

    private static void AddReplayed(List<string> lines, CheckReport report)
    {
        if (report.Counterexample is { } run)
        {
            Add(lines, "replayed", $"{LengthText(run)}; one schedule, nothing explored");
        }
    }

    private static void AddExplored(List<string> lines, CheckReport report)
    {
        Add(lines, "explored", ExploredText(report));
        Add(lines, "took", CostText(report.Stats));
        string label = "judged";
        foreach (PropertyCoverage coverage in report.Coverage.Where(c => c.TimesExercised > 0 || report.Verdict == Verdict.Inconclusive))
        {
            Add(lines, label, $"{coverage.PropertyId} {Quantity.Count(coverage.TimesExercised, "time")} ({coverage.What})");
            label = string.Empty;
        }

        if (report.Counterexample is { } run)
        {
            Add(lines, "trace", $"{LengthText(run)}, {(run.IsMinimal ? "minimal" : "not proved minimal")}");
        }
    }

    private static string ModelText(CheckReport report, CheckInvocation invocation)
        => string.Join(", ", report.Bounds.Select(bound => Glued($"{bound.Name} {bound.Value}")).Prepend(invocation.Model));

    private static string ExploredText(CheckReport report)
    {
        ExplorationStats stats = report.Stats;
        string completeness = stats.Exhaustive ? "exhaustive"
            : report.Verdict == Verdict.Violation ? "stopped at the violation" : "NOT exhaustive";
        if (stats.RandomRuns > 0)
        {
            return $"{completeness}; {Glued(Quantity.Count(stats.RandomRuns, "random run"))}, "
                + $"{Glued(Quantity.Count(stats.Transitions, "transition"))}, the longest {Glued(Quantity.Exact(stats.DepthMax))}";
        }

        return $"{completeness}; {Glued(Quantity.Count(stats.States, "state"))}, {Glued(Quantity.Count(stats.Transitions, "transition"))}, "
            + Glued(Quantity.Count(stats.Executions, "execution"));
    }

    private static string CostText(ExplorationStats stats)
    {
        if (stats.RandomRuns > 0)
        {
            return $"{Quantity.Elapsed(stats.ElapsedSeconds)}, {Quantity.Count(stats.Workers, "worker")}, {Glued(Quantity.Bytes(stats.PeakMemoryBytes))}";
        }

        string reduction = stats.Symmetric ? "states up to symmetry" : stats.Reduced ? "reduction on" : "reduction off";
        return $"{Quantity.Elapsed(stats.ElapsedSeconds)}, {Quantity.Count(stats.Workers, "worker")}, {reduction}, "
            + $"{Glued(Quantity.Bytes(stats.PeakMemoryBytes))} ({Glued(Quantity.Bytes(stats.TableBytes))} of states)";
    }

    private static string LengthText(Counterexample run)
        => $"{Quantity.Count(run.Steps.Count, "step")}, {Quantity.Count(run.ContextSwitches, "context switch", "context switches")}";

    private static string Glued(string quantity) => quantity.Replace(' ', Paragraph.Glue);

    private static string Label(string label) => Margin + label.PadRight(LabelWidth);

    private static void Add(List<string> lines, string label, string text)
        => lines.AddRange(Paragraph.Wrap(text, Label(label), Margin + new string(' ', LabelWidth)));
}
