using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Tests.Report;

public sealed class MailDiagramTests
{
    public static TheoryData<string> Samples => [.. All.Keys];

    private static readonly Dictionary<string, Func<Counterexample>> All = new()
    {
        ["two-columns"] = SampleRuns.TwoColumns,
        ["three-columns"] = SampleRuns.ThreeColumns,
        ["four-columns"] = SampleRuns.FourColumns,
        ["interrupt"] = SampleRuns.InterruptBlock,
        ["store-buffer"] = SampleRuns.StoreBuffer,
        ["handler-that-flushes-nothing"] = SampleRuns.HandlerThatFlushesNothing,
        ["exchange"] = SampleRuns.Exchange,
        ["long-texts"] = SampleRuns.LongTexts,
        ["very-short"] = SampleRuns.VeryShort,
    };

    [Theory]
    [MemberData(nameof(Samples))]
    public void Diagram(string sample)
    {
        using var writer = new StringWriter();
        MailDiagram.Write(All[sample](), writer);
        GoldenFile.Matches($"diagrams/{sample}.txt", writer.ToString());
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Diagram_survives_a_mail(string sample)
    {
        using var writer = new StringWriter();
        MailDiagram.Write(All[sample](), writer);
        foreach (string line in writer.ToString().ReplaceLineEndings("\n").Split('\n'))
        {
            Assert.True(line.Length <= Paragraph.MailWidth, $"{line.Length} columns: {line}");
            Assert.DoesNotContain(line, c => c is < ' ' or > '~');
            Assert.Equal(line.TrimEnd(), line);
            Assert.True(line.Length == 0 || line.StartsWith("  ", StringComparison.Ordinal), $"no margin: {line}");
        }
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Every_key_step_is_shown_and_the_violation_comes_last(string sample)
    {
        Counterexample run = All[sample]();
        IReadOnlyList<DiagramRow> rows = RowSelection.Choose(run);

        Assert.All(run.Steps.Where(step => step.Weight == Machine.StepWeight.Key), step => Assert.Contains(rows, row => row.Text == step.Text));
        Assert.Equal(run.Steps[^1].Text, rows[^1].Text);
        Assert.Equal(run.Steps.Count(step => step.IsDecisive), rows.Count(row => row.IsDecisive));
        Assert.InRange(rows.Count, sample == "very-short" ? 4 : RowSelection.RowsMin, RowSelection.RowsMax);
    }

    [Fact]
    public void Full_trace()
    {
        using var writer = new StringWriter();
        FullTrace.Write(SampleRuns.InterruptBlock(), writer);
        GoldenFile.Matches("diagrams/full-trace.txt", writer.ToString());
    }
}
