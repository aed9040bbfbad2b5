using System.Text;

namespace Shootdown.Report;

/// <summary>A table of text: the first column to the left, numbers to the right, as wide as its content and its bound allow.</summary>
public sealed class NumberTable(params string[] headings)
{
    private const string Gap = "  ";
    private readonly List<string[]> _rows = [];

    /// <summary>Widest first column; longer names are cut.</summary>
    public int NameWidthMax { get; init; } = 40;

    /// <summary>True if there are rows.</summary>
    public bool HasRows => _rows.Count > 0;

    /// <summary>Adds a row.</summary>
    public void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>Writes the table.</summary>
    public void Write(TextWriter writer, string margin)
    {
        var all = _rows.Prepend(headings).Select(row => row.Select((cell, i) => i == 0 ? Cut(cell) : cell).ToArray()).ToArray();
        int[] widths = [.. headings.Select((_, column) => all.Max(row => column < row.Length ? row[column].Length : 0))];
        foreach (string[] row in all)
        {
            var line = new StringBuilder(margin);
            for (int column = 0; column < row.Length; column++)
            {
                line.Append(column == 0 ? row[column].PadRight(widths[column]) : Gap + row[column].PadLeft(widths[column]));
            }

            writer.WriteLine(line.ToString().TrimEnd());
        }
    }

    private string Cut(string name) => name.Length <= NameWidthMax ? name : name[..(NameWidthMax - 3)] + "...";
}
