namespace Shootdown.Cli;

/// <summary>Where progress is shown: one line that is rewritten on a terminal, a line of its own each time elsewhere.</summary>
internal sealed class ProgressLine(TextWriter writer, bool isTerminal)
{
    private int _shownLength;

    /// <summary>Shows a line in place of the last one.</summary>
    public void Show(string line)
    {
        if (!isTerminal)
        {
            writer.WriteLine(line);
            return;
        }

        writer.Write('\r' + line.PadRight(_shownLength));
        writer.Flush();
        _shownLength = line.Length;
    }

    /// <summary>Removes the line from the terminal, so that the result stands there alone.</summary>
    public void Clear()
    {
        if (_shownLength > 0)
        {
            writer.Write('\r' + new string(' ', _shownLength) + '\r');
            writer.Flush();
            _shownLength = 0;
        }
    }
}
