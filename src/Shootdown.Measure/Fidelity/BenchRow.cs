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
    private const string Header = "op,pages,mode,helpers,kernel,ncpu,TLBirq_per_op,signature_per_op,share,median_ns";
    private const int Columns = 10;

    /// <summary>Reads a file.</summary>
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

        if (lines.Length == 0 || lines[0].TrimEnd('\r') != Header)
        {
            throw new FidelityFileException($"{path}:1: expected the heading '{Header}'");
        }

        return [.. lines.Select((text, index) => (text, line: index + 1)).Skip(1).Where(line => line.text.Trim().Length > 0)
            .Select(line => Parse(path, line.text.TrimEnd('\r'), line.line))];
    }

    private static BenchRow Parse(string path, string text, int line)
    {
        string[] parts = text.Split(',');
        if (parts.Length != Columns)
        {
            throw new FidelityFileException($"{path}:{line}: {parts.Length} columns; expected {Columns}");
        }

        int Whole(int column, string name)
            => int.TryParse(parts[column], NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value
                : throw new FidelityFileException($"{path}:{line}: {name} is '{parts[column]}'; expected a whole number");

        if (!double.TryParse(parts[6], NumberStyles.Float, CultureInfo.InvariantCulture, out double interrupts))
        {
            throw new FidelityFileException($"{path}:{line}: TLBirq_per_op is '{parts[6]}'; expected a number");
        }

        try
        {
            Signature[] signatures = [.. parts[7].Split("||").Select(Signature.Parse)];
            return new BenchRow(
                parts[0], Whole(1, "pages"), parts[2], Whole(3, "helpers"), parts[4], Whole(5, "ncpu"), interrupts, signatures, line);
        }
        catch (FormatException error)
        {
            throw new FidelityFileException($"{path}:{line}: {error.Message}");
        }
    }
}

/// <summary>A table of recorded operations cannot be used; the message names file and line.</summary>
public sealed class FidelityFileException(string message) : Exception(message);
