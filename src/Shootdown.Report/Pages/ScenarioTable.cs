using System.Globalization;

namespace Shootdown.Report;

/// <summary>The list of scenarios: a line of facts that can be scanned, and below it the title with its references.</summary>
public static class ScenarioTable
{
    private const int Width = 120;

    private static readonly string[] Headings = ["no", "id", "year", "property", "model", "size", "seed"];

    /// <summary>Writes the table; columns are as wide as what stands in them.</summary>
    public static void Write(IReadOnlyList<ScenarioCard> cards, TextWriter writer)
    {
        string[][] cells = [Headings, .. cards.Select(Cells)];
        int[] widths = [.. Headings.Select((_, i) => cells.Max(row => row[i].Length))];
        string below = new(' ', widths[0] + 2);
        for (int i = 0; i < cells.Length; i++)
        {
            writer.WriteLine(string.Join("  ", cells[i].Select((cell, k) => cell.PadRight(widths[k]))).TrimEnd());
            if (i > 0)
            {
                writer.WriteLines(Paragraph.Wrap(TitleLine(cards[i - 1]), below, $"{below}  ", Width));
            }
        }

        writer.WriteLine();
        writer.Write($"{Quantity.Count(cards.Count, "scenario")}. ");
        writer.WriteLine("./shootdown explain ID tells the story, ./shootdown check ID runs it.");
    }

    /// <summary>The catalogue's size, e.g. <c>cpus 3, pages 1</c>.</summary>
    internal static string SizeOf(ScenarioCard card)
        => string.Join(", ", card.Parameters.Select(parameter => $"{parameter.Name} {parameter.Default}"));

    private static string[] Cells(ScenarioCard card) =>
    [
        card.Number,
        card.Id,
        card.Year == 0 ? string.Empty : card.Year.ToString(CultureInfo.InvariantCulture),
        card.Property,
        card.Model,
        SizeOf(card),
        card.Seed,
    ];

    private static string TitleLine(ScenarioCard card)
    {
        string title = card.References.Count == 0 ? card.Title : $"{card.Title} ({string.Join(", ", card.References)})";
        return card.Variants.Count == 1 ? $"{title}; {card.Variants[0]} only" : title;
    }
}
