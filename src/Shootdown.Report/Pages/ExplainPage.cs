using System.Globalization;

namespace Shootdown.Report;

/// <summary>The story of a bug on one page: who, which functions, what goes wrong, the fix, the sources, how to run it.</summary>
public static class ExplainPage
{
    private const string Margin = "  ";
    private const int LabelWidth = 12;

    /// <summary>Writes the page, at most 72 columns wide.</summary>
    public static void Write(ScenarioCard card, TextWriter writer)
    {
        string heading = card.Number.Length == 0 ? card.Id : $"{card.Number}  {card.Id}";
        writer.WriteLine(heading);
        writer.WriteLines(Paragraph.Wrap(card.Title, string.Empty, string.Empty));
        writer.WriteLine();
        WriteFacts(card, writer);
        WriteSection("The story", Paragraph.WrapAll(card.Story, Margin), writer);
        WriteSection("The race, step by step", Steps(card), writer);
        WriteSection("Bounds", Bounds(card), writer);
        WriteSection("Sources", [.. card.Sources.SelectMany(source => Paragraph.Wrap(source, Margin, Margin + Margin))], writer);
        WriteSection("Run it", Commands(card), writer);
    }

    private static void WriteFacts(ScenarioCard card, TextWriter writer)
    {
        WriteFact("year", card.Year == 0 ? string.Empty : card.Year.ToString(CultureInfo.InvariantCulture), writer);
        WriteFact("references", string.Join(", ", card.References), writer);
        WriteFact("seed mail", card.Seed, writer);
        WriteFact("property", card.Property, writer);
        WriteFact("model", card.Model, writer);
        WriteFact("size", ScenarioTable.SizeOf(card), writer);
        WriteFact("tags", string.Join(", ", card.Tags), writer);
        string label = "expected";
        foreach (IGrouping<string, ExpectationCard> model in card.Expectations.GroupBy(expectation => expectation.Model))
        {
            string verdicts = string.Join(", ", model.Select(expectation => $"{expectation.Variant} {expectation.Verdict}"));
            WriteFact(label, $"{model.Key}: {verdicts}", writer);
            label = string.Empty;
        }
    }

    private static List<string> Steps(ScenarioCard card)
    {
        var lines = new List<string>();
        int digits = card.Steps.Count.ToString(CultureInfo.InvariantCulture).Length;
        for (int i = 0; i < card.Steps.Count; i++)
        {
            string label = Margin + (i + 1).ToString(CultureInfo.InvariantCulture).PadLeft(digits) + ". ";
            lines.AddRange(Paragraph.Wrap(card.Steps[i], label, new string(' ', label.Length)));
        }

        return lines;
    }

    private static List<string> Bounds(ScenarioCard card)
    {
        var lines = new List<string>();
        foreach (ParameterCard parameter in card.Parameters)
        {
            string label = Margin + $"--{parameter.Name} {parameter.Default}".PadRight(LabelWidth + 2) + Margin;
            string text = $"{parameter.Minimum} to {parameter.Maximum}: {parameter.Help}";
            lines.AddRange(Paragraph.Wrap(text, label, new string(' ', label.Length)));
        }

        return lines;
    }

    private static List<string> Commands(ScenarioCard card)
    {
        var lines = new List<string> { $"{Margin}./shootdown check {card.Id}" };
        if (card.Variants.Contains("bug"))
        {
            lines.Add($"{Margin}./shootdown check {card.Id} --variant bug --trace full");
        }

        if (card.Parameters.Count > 0 && card.Parameters[0] is { } first && first.Default < first.Maximum)
        {
            lines.Add($"{Margin}./shootdown check {card.Id} --variant fix --{first.Name} {first.Default + 1}");
        }

        return lines;
    }

    private static void WriteSection(string heading, IReadOnlyList<string> lines, TextWriter writer)
    {
        if (lines.Count > 0)
        {
            writer.WriteLine();
            writer.WriteLine(heading);
            writer.WriteLines(lines);
        }
    }

    private static void WriteFact(string label, string text, TextWriter writer)
    {
        if (text.Length > 0)
        {
            writer.WriteLines(Paragraph.Wrap(text, Margin + label.PadRight(LabelWidth), new string(' ', Margin.Length + LabelWidth)));
        }
    }
}
