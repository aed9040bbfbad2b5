using System.Collections.Concurrent;
using System.Diagnostics;
using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>What the workers of one pass share: the visited states, work that was given away, the first violation, limits.</summary>
internal sealed class SharedSearch : IDisposable
{
    private readonly ConcurrentQueue<Step[]> _work = new();
    private readonly Lock _gate = new();
    private readonly CheckOptions _options;
    private readonly Stopwatch _clock;
    private readonly int _workers;
    private int _idle;
    private volatile bool _stop;
    private volatile bool _doomed;
    private int _growthSeen;
    private long _statesAtGrowth;
    private long _states;
    private long _transitions;

    internal SharedSearch(
        CheckModel model, CheckOptions options, ReductionTable? reduction, MachineSymmetry? symmetry, int workers, Stopwatch clock)
    {
        Model = model;
        Reduction = reduction;
        Symmetry = symmetry;
        _options = options;
        _workers = workers;
        _clock = clock;
        Visited = new VisitedSet(workers > 1);
    }

    internal CheckModel Model { get; }

    internal ReductionTable? Reduction { get; }

    internal MachineSymmetry? Symmetry { get; }

    internal VisitedSet Visited { get; }

    internal bool RemembersChoices => _options.RemembersChoices;

    internal bool CollectFinalStates => _options.CollectFinalStates;

    internal HashSet<UInt128> FinalStates { get; } = [];

    internal Violation? Violation { get; private set; }

    internal IReadOnlyList<Step> Path { get; private set; } = [];

    internal string? Incomplete { get; private set; }

    internal Exception? Failure { get; private set; }

    internal bool Stopped => _stop;

    /// <summary>True if some worker found that it had relied on what is not so: the pass can only learn, and has to be repeated.</summary>
    internal bool IsDoomed => _doomed;

    /// <summary>True if some worker waits for work.</summary>
    internal bool WantsWork => Volatile.Read(ref _idle) > _work.Count;

    public void Dispose() => Visited.Dispose();

    internal void Give(Step[] path) => _work.Enqueue(path);

    /// <summary>Takes work that another worker gave away; null when all workers are out of work or the search stopped.</summary>
    internal Step[]? Take()
    {
        Interlocked.Increment(ref _idle);
        var wait = new SpinWait();
        while (!_stop)
        {
            if (_work.TryDequeue(out Step[]? path))
            {
                Interlocked.Decrement(ref _idle);
                return path;
            }

            if (Volatile.Read(ref _idle) == _workers && _work.IsEmpty)
            {
                return null;
            }

            wait.SpinOnce();
        }

        return null;
    }

    internal void Report(Violation violation, IReadOnlyList<Step> path)
    {
        lock (_gate)
        {
            // Several workers may find one: the shortest path is the best start for the minimiser.
            if (Violation is null || path.Count < Path.Count)
            {
                Violation = violation;
                Path = path;
            }

            _stop = true;
        }
    }

    internal void Fail(Exception failure)
    {
        lock (_gate)
        {
            Failure ??= failure;
            _stop = true;
        }
    }

    internal void AddFinalState(UInt128 digest)
    {
        lock (_gate)
        {
            FinalStates.Add(digest);
        }
    }

    /// <summary>Called by every worker once in a while: adds up progress and applies the limits.</summary>
    internal void Tick(long states, long transitions, int depth, ref double nextReport)
    {
        Interlocked.Add(ref _states, states);
        Interlocked.Add(ref _transitions, transitions);
        EndWornOutPass();
        double elapsed = _clock.Elapsed.TotalSeconds;
        if (_options.WhyStop("the table of visited states", Visited.Bytes, elapsed) is { } reason)
        {
            GiveUp(reason);
        }

        if (_options.Progress is { } progress && elapsed >= nextReport)
        {
            nextReport = elapsed + 0.25;
            progress.Report(new CheckProgress(
                "exploring", Interlocked.Read(ref _states), Interlocked.Read(ref _transitions), depth, Visited.Bytes, elapsed));
        }
    }

    /// <summary>
    /// A pass that turned out to have relied on what is not so counts for nothing. It goes on as long as it keeps learning, to twice
    /// the states at which it learned last; then another pass starts with what is known.
    /// </summary>
    private void EndWornOutPass()
    {
        if (!IsDoomed)
        {
            return;
        }

        long states = Interlocked.Read(ref _states);
        int growth = Reduction!.GrowthCount;
        if (Interlocked.Exchange(ref _growthSeen, growth) != growth)
        {
            Interlocked.Exchange(ref _statesAtGrowth, states);
        }
        else if (states > (2 * Interlocked.Read(ref _statesAtGrowth)) + 2000)
        {
            _stop = true;
        }
    }

    internal void Doom() => _doomed = true;

    internal void GiveUp(string reason)
    {
        lock (_gate)
        {
            Incomplete ??= reason;
            _stop = true;
        }
    }
}
