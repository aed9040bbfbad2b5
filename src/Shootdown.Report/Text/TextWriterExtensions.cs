namespace Shootdown.Report;

/// <summary>What pages have in common when they write lines.</summary>
public static class TextWriterExtensions
{
    /// <summary>Writes each line.</summary>
    public static void WriteLines(this TextWriter writer, IEnumerable<string> lines)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(lines);
        foreach (string line in lines)
        {
            writer.WriteLine(line);
        }
    }
}
