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
        Add(lines, "model", ModelText(report));
        if (report.Verdict != Verdict.Unsupported)
        {
            Add(lines, "explored", ExploredText(report));
            Add(lines, "took", CostText(report.Stats));
        }

        foreach (PropertyCoverage coverage in report.Coverage)
        {
            Add(lines, "judged", $"{coverage.PropertyId}: {Quantity.Exact(coverage.TimesExercised)} {coverage.What}");
        }

        if (report.Counterexample is { } run)
        {
            Add(lines, "trace", TraceText(run));
            string hanging = Margin + new string(' ', LabelWidth) + Margin;
            lines.AddRange(ReplayCommand.Lines(invocation, run.Schedule, Label("replay"), hanging));
        }

        return lines;
    }

    private static string ModelText(CheckReport report)
        => string.Join(", ", report.Bounds.Select(bound => $"{bound.Name} {bound.Value}").Prepend(report.Model));

    private static string ExploredText(CheckReport report)
    {
        ExplorationStats stats = report.Stats;
        string completeness = stats.Exhaustive ? "exhaustive"
            : report.Verdict == Verdict.Violation ? "stopped at the violation" : "NOT exhaustive";
        string counts = $"{Quantity.Count(stats.States, "state")}, {Quantity.Count(stats.Transitions, "transition")}, "
            + $"{Quantity.Count(stats.Executions, "execution")}, depth {Quantity.Exact(stats.DepthMax)}";
        return $"{counts}; {completeness}";
    }

    private static string CostText(ExplorationStats stats)
    {
        string reduction = stats.Reduced ? "reduction on" : "reduction off";
        return $"{Quantity.Elapsed(stats.ElapsedSeconds)}, {Quantity.Count(stats.Workers, "worker")}, {reduction}, "
            + $"memory {Quantity.Bytes(stats.PeakMemoryBytes)} (states {Quantity.Bytes(stats.TableBytes)})";
    }

    private static string TraceText(Counterexample run)
    {
        string minimality = run.IsMinimal ? "minimal" : "not proved minimal";
        return $"{Quantity.Count(run.Steps.Count, "step")}, {Quantity.Count(run.ContextSwitches, "context switch", "context switches")}, {minimality}";
    }

    private static string Label(string label) => Margin + label.PadRight(LabelWidth);

    private static void Add(List<string> lines, string label, string text)
        => lines.AddRange(Paragraph.Wrap(text, Label(label), Margin + new string(' ', LabelWidth)));
}
