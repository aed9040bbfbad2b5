using System.Globalization;

namespace Shootdown.Measure;

/// <summary>A row of per-operation.csv: what one operation did on a real kernel.</summary>
/// <param name="Operation">Name in tlbbench.c.</param>
/// <param name="Pages">Its size; huge pages for thp_*.</param>
/// <param name="Mode">What the other threads do.</param>
/// <param name="Helpers">How many there are.</param>
/// <param name="Kernel">Kernel version.</param>
/// <param name="Cpus">CPUs of the machine.</param>
/// <param name="Interrupts">TLB interrupts an operation.</param>
/// <param name="Signatures">The multiset of tlb_flush events that was seen most, or two of them.</param>
/// <param name="Line">Line of the file.</param>
public sealed record BenchRow(
    string Operation, int Pages, string Mode, int Helpers, string Kernel, int Cpus, double Interrupts, IReadOnlyList<Signature> Signatures, int Line)
{
    private static readonly string[] Needed = ["op", "pages", "mode", "helpers", "kernel", "ncpu", "TLBirq_per_op", "signature_per_op"];

    /// <summary>Reads a file: columns by their names, in any order; others are left unread.</summary>
    /// <exception cref="FidelityFileException">It cannot be read or a line is not understood.</exception>
    public static IReadOnlyList<BenchRow> Read(string path)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new FidelityFileException($"{path}: the table cannot be read: {error.Message}");
        }

        if (lines.Length == 0)
        {
            throw new FidelityFileException($"{path}: the table is empty; expected the heading '{string.Join(',', Needed)}'");
        }

        string[] heading = [.. lines[0].TrimStart('\ufeff').TrimEnd('\r').Split(',').Select(name => name.Trim())];
        int[] columns = [.. Needed.Select(name => Array.IndexOf(heading, name))];
        if (columns.Contains(-1))
        {
            string missing = string.Join(", ", Needed.Where((_, index) => columns[index] < 0));
            throw new FidelityFileException($"{path}:1: the heading has no column {missing}; expected '{string.Join(',', Needed)}'");
        }

        return [.. lines.Select((text, index) => (text, line: index + 1)).Skip(1).Where(line => line.text.Trim().Length > 0)
            .Select(line => Parse($"{path}:{line.line}", line.text.TrimEnd('\r').Split(','), heading.Length, columns, line.line))];
    }

    private static BenchRow Parse(string place, string[] cells, int count, int[] columns, int line)
    {
        if (cells.Length != count)
        {
            throw new FidelityFileException($"{place}: {cells.Length} columns; expected {count}, as the heading has");
        }

        string[] parts = [.. columns.Select(column => cells[column].Trim())];
        int Whole(int column)
            => int.TryParse(parts[column], NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value
                : throw new FidelityFileException($"{place}: {Needed[column]} is '{parts[column]}'; expected a whole number");

        if (!double.TryParse(parts[6], NumberStyles.Float, CultureInfo.InvariantCulture, out double interrupts))
        {
            throw new FidelityFileException($"{place}: TLBirq_per_op is '{parts[6]}'; expected a number");
        }

        try
        {
            Signature[] signatures = [.. parts[7].Split("||").Select(Signature.Parse)];
            return new BenchRow(
                parts[0], Whole(1), parts[2], Whole(3), parts[4], Whole(5), interrupts, signatures, line);
        }
        catch (FormatException error)
        {
            throw new FidelityFileException($"{place}: {error.Message}");
        }
    }
}

/// <summary>A table of recorded operations cannot be used; the message names file and line.</summary>
public sealed class FidelityFileException(string message) : Exception(message);
