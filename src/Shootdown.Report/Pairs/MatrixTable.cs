using System.Text;
using Shootdown.Check;

namespace Shootdown.Report;

/// <summary>The matrix as a table: a row and a column for every operation, and one sign for all machines of a pair.</summary>
public static class MatrixTable
{
    private const string Columns = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    private const char NoMachine = ' ';

    /// <summary>What the signs mean.</summary>
    public const string Legend = ".  every machine passes   X  violation   ?  not settled   -  nothing to judge";

    /// <summary>The lines; none if the machines have more than two operations.</summary>
    public static IReadOnlyList<string> Lines(MatrixReport matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        string[] shown = [.. matrix.Operations.Where(id => matrix.Entries.Any(entry => entry.Operations.Contains(id)))];
        if (matrix.Entries.Any(entry => entry.Operations.Count != 2) || shown.Length > Columns.Length)
        {
            return [];
        }

        int width = shown.Length == 0 ? 0 : shown.Max(id => id.Length);
        var signs = matrix.Entries.ToLookup(entry => (entry.Operations[0], entry.Operations[1]), Sign);
        var lines = new List<string> { Row(string.Empty, string.Empty, width, Columns[..shown.Length]) };
        for (int row = 0; row < shown.Length; row++)
        {
            string cells = string.Concat(shown.Take(row + 1).Select(column => Worst(signs, column, shown[row])));
            lines.Add(Row(Columns[row].ToString(), shown[row], width, cells));
        }

        return lines;
    }

    /// <summary>The sign of one machine.</summary>
    public static char Sign(MatrixEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return entry.Result.Verdict switch
        {
            Verdict.Violation => 'X',
            Verdict.Pass => entry.JudgedNothing ? '-' : '.',
            _ => '?',
        };
    }

    private static char Worst(ILookup<(string, string), char> signs, string first, string second)
    {
        const string WorstFirst = "X?.-";
        string all = string.Concat(signs[(first, second)].Concat(first == second ? [] : signs[(second, first)]));
        return all.Length == 0 ? NoMachine : WorstFirst[all.Min(sign => WorstFirst.IndexOf(sign, StringComparison.Ordinal))];
    }

    private static string Row(string letter, string id, int width, string cells)
    {
        var line = new StringBuilder("  ").Append(letter.PadRight(2)).Append(id.PadRight(width + 1));
        foreach (char cell in cells)
        {
            line.Append(' ').Append(cell);
        }

        return line.ToString().TrimEnd();
    }
}
