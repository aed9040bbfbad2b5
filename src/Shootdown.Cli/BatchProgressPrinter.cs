using Shootdown.Check;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>Shows how far a batch of checks is: one line that is rewritten on a terminal, a new line now and then in a log.</summary>
internal sealed class BatchProgressPrinter(TextWriter writer, bool isTerminal, string what) : IProgress<BatchProgress>
{
    private const double TerminalEverySeconds = 0.2;
    private const double LogEverySeconds = 10;
    private readonly Lock _lock = new();
    private readonly ProgressLine _line = new(writer, isTerminal);
    private double _lastSeconds;

    /// <summary>Called by workers, from any thread.</summary>
    public void Report(BatchProgress value)
    {
        lock (_lock)
        {
            if (value.ElapsedSeconds - _lastSeconds < (isTerminal ? TerminalEverySeconds : LogEverySeconds))
            {
                return;
            }

            _lastSeconds = value.ElapsedSeconds;
            _line.Show($"{value.Done} of {value.Total} {what}, {Quantity.Count(value.Violations, "violation")}, "
                + $"{Quantity.Count(value.States, "state")}, {Quantity.Elapsed(value.ElapsedSeconds)}");
        }
    }

    /// <summary>Removes the line from the terminal.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _line.Clear();
        }
    }
}
