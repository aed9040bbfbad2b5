using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>
/// Shows a long check's progress: one line that is rewritten on a terminal, a new line now and then in a log. Nothing for
/// checks that are over within a second.
/// </summary>
internal sealed class ProgressPrinter(TextWriter writer, bool isTerminal, string label) : IProgress<CheckProgress>
{
    private const double FirstAfterSeconds = 1;
    private const double TerminalEverySeconds = 0.2;
    private const double LogEverySeconds = 5;
    private const int TerminalWidth = 79;

    private readonly Lock _lock = new();
    private readonly ProgressLine _line = new(writer, isTerminal);
    private CheckProgress? _last;

    /// <summary>Called by workers, from any thread.</summary>
    public void Report(CheckProgress value)
    {
        lock (_lock)
        {
            double since = value.ElapsedSeconds - (_last?.ElapsedSeconds ?? 0);
            double interval = !isTerminal ? LogEverySeconds : _last is null ? FirstAfterSeconds : TerminalEverySeconds;
            if (since < interval)
            {
                return;
            }

            double rate = Math.Max(0, value.States - (_last?.States ?? 0)) / since;
            _last = value;
            Show(ProgressText.Line(value, rate));
        }
    }

    /// <summary>Removes the line from the terminal, so that the result stands there alone.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _line.Clear();
        }
    }

    private void Show(string line)
    {
        string labelled = $"{label}  {line}";
        bool fits = !isTerminal || labelled.Length <= TerminalWidth;
        _line.Show(fits ? labelled : line.Length <= TerminalWidth ? line : line[..TerminalWidth]);
    }
}
