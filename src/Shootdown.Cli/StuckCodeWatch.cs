using Shootdown.Machine;

namespace Shootdown.Cli;

/// <summary>
/// Notices kernel code of a user's file that loops without asking the machine: no limit can end such a step, as it would leave half of it
/// done. Looks once a second at what every thread runs.
/// </summary>
internal sealed class StuckCodeWatch : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Dictionary<object, (long Run, TimeSpan Since)> _seen = [];
    private readonly TimeSpan _patience;
    private readonly Action<string> _stuck;
    private readonly Timer _timer;
    private bool _isOver;

    /// <summary>Begins to watch.</summary>
    /// <param name="patience">CPU time of the process during which a step may last: a machine that is asleep or busy with others does not count.</param>
    /// <param name="stuck">Told once, with the method that does not come back.</param>
    public StuckCodeWatch(TimeSpan patience, Action<string> stuck)
    {
        _patience = patience;
        _stuck = stuck;
        _timer = new Timer(_ => Look(), null, Interval, Interval);
    }

    /// <inheritdoc/>
    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        lock (_seen)
        {
            TimeSpan now = Environment.CpuUsage.TotalTime;
            IReadOnlyList<CodeAtWork> running = CodeAtWork.Now();
            foreach (object gone in _seen.Keys.Except(running.Select(code => code.Thread)).ToArray())
            {
                _seen.Remove(gone);
            }

            foreach (CodeAtWork code in running)
            {
                if (!_seen.TryGetValue(code.Thread, out (long Run, TimeSpan Since) before) || before.Run != code.Run)
                {
                    _seen[code.Thread] = (code.Run, now);
                }
                else if (now - before.Since >= _patience && !_isOver)
                {
                    _isOver = true;
                    _stuck(code.Method);
                }
            }
        }
    }
}
