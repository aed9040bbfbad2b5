using Shootdown.Measure;
using Shootdown.Report;

namespace Shootdown.Cli;

/// <summary>
/// Shows how far a long trace has been read: one line that is rewritten on a terminal, a new line now and then in a log. Nothing for
/// traces that are read within seconds.
/// </summary>
internal sealed class ReplayProgressPrinter(TextWriter writer, bool isTerminal, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan TerminalEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LogEvery = TimeSpan.FromSeconds(10);
    private readonly ProgressLine _line = new(writer, isTerminal);
    private long _last = time.GetTimestamp();

    /// <summary>Called while the trace is read.</summary>
    public void Report(TraceReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        if (time.GetElapsedTime(_last) < (isTerminal ? TerminalEvery : LogEvery))
        {
            return;
        }

        _last = time.GetTimestamp();
        string share = reader.Share is { } part ? FormattableString.Invariant($" ({100 * part:0} % of the file)") : "";
        _line.Show($"replay  {Quantity.Count(reader.Lines, "line")} read{share}");
    }

    /// <summary>Removes the line from the terminal, so that the result stands there alone.</summary>
    public void Dispose() => _line.Clear();
}
