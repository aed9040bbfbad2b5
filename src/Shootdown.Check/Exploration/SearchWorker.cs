using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// One thread of the depth-first search. Successors of a state are executed once to learn their fingerprints (while the
/// table's cache lines are on their way), undone, looked up, and the new ones are executed again, without choosing again, to go on
/// from there.
/// </summary>
internal sealed partial class SearchWorker
{
    private const int TickEvery = 512;
    private const ulong RecentMax = 1 << 15;
    private readonly SharedSearch _search;
    private readonly MachineModel _machine;
    private readonly MachineState _state;
    private readonly RandomWalker _walker;
    private readonly AmpleChooser? _chooser;
    private readonly CanonicalFingerprint? _canonical;
    private readonly SymmetrySampler? _sampler;
    private readonly (ulong Low, ulong High)[] _recent;
    private readonly Agent[] _agents;
    private readonly ulong _programs;
    private Step[] _trail = new Step[4096];
    private int _trailCount;
    private ulong _enabled;
    private ulong _observers;
    private Successor[] _successors = new Successor[4096];
    private Level[] _levels = new Level[1024];
    private int _successorCount;
    private Step[] _chains = new Step[4096];
    private int _chainCount;
    private int _depth;
    private int _base;
    private ulong _chosen;
    private long _states;
    private long _transitions;
    private long _tickStates;
    private long _tickTransitions;
    private int _untilTick = TickEvery;
    private int _growthSeen;
    private int _edgesSeen;
    private double _nextReport = 1;

    internal SearchWorker(SharedSearch search, int index)
    {
        _search = search;
        Index = index;
        _machine = search.Model.Machine;
        _agents = [.. _machine.Agents];
        Costs = _machine.Costs is { } costs ? new CostTally(costs) : null;
        _programs = ProgramsOf(_machine);
        _state = new MachineState(_machine);
        _walker = new RandomWalker(_state);
        _chooser = search.Reduction is { } table ? new AmpleChooser(_machine, table, search.RemembersChoices) : null;
        _canonical = search.Symmetry is { } symmetry ? new CanonicalFingerprint(symmetry) : null;
        _recent = search.Symmetry is null ? [] : new (ulong, ulong)[RecentMax];
        _sampler = search.Symmetry is { } sampled ? new SymmetrySampler(sampled) : null;
    }

    internal int Index { get; }

    /// <summary>
    /// The agents whose standstill makes a state final: all but hardware that moves for ever by itself, which cannot end
    /// a program's wait.
    /// </summary>
    internal static ulong ProgramsOf(MachineModel machine)
    {
        ulong programs = 0;
        foreach (Agent agent in machine.Agents)
        {
            programs |= agent.Kind == AgentKind.Hardware ? 0 : 1UL << agent.Index;
        }

        return programs;
    }

    internal long States => _states;

    internal long Transitions => _transitions;

    internal long Executions { get; private set; }

    internal int DepthMax { get; private set; }

    internal CostTally? Costs { get; }

    internal IReadOnlyList<long> Judgements => _state.Judgements;

    /// <summary>True if what the choices of this worker relied on still holds.</summary>
    internal bool ChoicesStand() => _chooser?.ChoicesStand() ?? true;

    /// <summary>Works until the whole search is done; the first worker starts at the initial state.</summary>
    internal void Run()
    {
        try
        {
            StepRunner.RunPrologues(_state);
            ulong[] words = _state.Words.ToArray();
            LocalState[] locals = _state.Locals.ToArray();
            Step[]? work = Index == 0 ? [] : _search.Take();
            while (work is not null)
            {
                _state.Restore(words, locals);
                Explore(work);
                work = _search.Take();
            }
        }
        catch (Exception failure)
        {
            // Whatever it is, the others must not wait for this worker, and the verdict is theirs no more.
            _search.Fail(failure);
        }

        Tick();
    }

    private void Explore(Step[] prefix)
    {
        _trailCount = 0;
        _state.CountsJudgements = prefix.Length == 0;
        foreach (Step step in prefix)
        {
            Take(step);
        }

        Chain();
        if (prefix.Length == 0)
        {
            (ulong low, ulong high) = Fingerprint();
            _search.Visited.Add(low, high);
            _states++;
        }

        _state.ForgetUndo();
        _depth = 0;
        _base = 0;
        _successorCount = 0;
        _chainCount = 0;
        Expand();
        while (_depth > 0 && !_search.Stopped)
        {
            ref Level level = ref _levels[_depth - 1];
            if (level.Next == level.End)
            {
                _depth--;
                _successorCount = level.Start;
                _chainCount = level.ChainMark;
                if (_depth > 0)
                {
                    BackTo(ref _levels[_depth - 1]);
                }
            }
            else if (_search.WantsWork)
            {
                GiveWork();
            }
            else
            {
                TakeAgain(in _successors[level.Next++]);
                Expand();
            }
        }
    }

    private void BackTo(ref Level level)
    {
        _state.UndoTo(level.UndoMark);
        _trailCount = level.TrailMark;
    }

    /// <summary>
    /// False if this very state was looked up not long ago, which saves the work of finding its fingerprint up to symmetry; remembers
    /// it, because it is about to be looked up.
    /// </summary>
    private bool IsNotRecent(ulong low, ulong high)
    {
        ref (ulong Low, ulong High) place = ref _recent[low % RecentMax];
        if (place == (low, high))
        {
            return false;
        }

        place = (low, high);
        return true;
    }

    private (ulong Low, ulong High) Fingerprint() => _canonical is null ? (_state.HashLow, _state.HashHigh) : _canonical.Of(_state);

    /// <summary>Pushes the current state with its unvisited successors.</summary>
    private void Expand()
    {
        if (--_untilTick == 0)
        {
            Tick();
        }

        if (_chooser is null)
        {
            FindEnabled();
            _chosen = _enabled & ~_observers;
        }

        _state.CountsJudgements = true;
        Observe();
        _sampler?.Look(_state);
        int start = _successorCount;
        if ((_enabled & _programs) == 0)
        {
            AtFinalState();
        }

        if (_depth == _levels.Length)
        {
            Array.Resize(ref _levels, _depth * 2);
        }

        ref Level level = ref _levels[_depth++];
        level = new Level { Start = start, Next = start, UndoMark = _state.UndoMark, TrailMark = _trailCount, ChainMark = _chainCount };
        for (ulong rest = _chosen; rest != 0; rest &= rest - 1)
        {
            ExecuteAll(System.Numerics.BitOperations.TrailingZeroCount(rest), ref level);
        }

        KeepNew(start);
        level.End = _successorCount;
        DepthMax = Math.Max(DepthMax, _trailCount);
    }

    private void ExecuteAll(int agent, ref Level level)
    {
        int alternatives = _state.AlternativesOf(_agents[agent]);
        ulong chosen = _chosen;
        for (int alternative = 0; alternative < alternatives; alternative++)
        {
            var step = new Step((byte)agent, (ushort)alternative);
            _state.CountsJudgements = true;
            Take(step);
            Chain();
            _state.Violation = null;
            if (_canonical is null || IsNotRecent(_state.HashLow, _state.HashHigh))
            {
                AddSuccessor(level.TrailMark);
            }

            BackTo(ref level);
        }

        _chosen = chosen;
    }

    /// <summary>Remembers the current state as a successor of the one at which the trail had the given length.</summary>
    private void AddSuccessor(int trailMark)
    {
        if (_successorCount == _successors.Length)
        {
            Array.Resize(ref _successors, _successorCount * 2);
        }

        int steps = _trailCount - trailMark;
        if (_chainCount + steps > _chains.Length)
        {
            Array.Resize(ref _chains, Math.Max(_chainCount + steps, _chains.Length * 2));
        }

        _trail.AsSpan(trailMark, steps).CopyTo(_chains.AsSpan(_chainCount));
        (ulong low, ulong high) = Fingerprint();
        _successors[_successorCount++] = new Successor(low, high, _chainCount, _chainCount + steps, _chosen, _enabled, _observers);
        _chainCount += steps;
        _search.Visited.Prefetch(low, high);
    }

    private void KeepNew(int start)
    {
        int kept = start;
        for (int i = start; i < _successorCount; i++)
        {
            Successor successor = _successors[i];
            if (_search.Visited.Add(successor.Low, successor.High))
            {
                _successors[kept++] = successor;
                _states++;
            }
        }

        _successorCount = kept;
    }

    private void AtFinalState()
    {
        Executions++;
        Costs?.Add(_state);
        if (_state.Violation is null && FinalJudge.Judge(_state) is { } violation)
        {
            _search.Report(violation, _trail[.._trailCount]);
        }

        if (_search.CollectFinalStates)
        {
            _search.AddFinalState(FinalState.Digest(_state));
        }
    }

    /// <summary>Gives away one unexplored successor of the shallowest level that has any left.</summary>
    private void GiveWork()
    {
        while (_base < _depth - 1 && _levels[_base].Next == _levels[_base].End)
        {
            _base++;
        }

        ref Level level = ref _levels[Math.Min(_base, _depth - 1)];
        if (level.Next != level.End)
        {
            _search.Give([.. _trail[..level.TrailMark], _chains[_successors[--level.End].ChainStart]]);
        }
    }

    private void Tick()
    {
        _untilTick = TickEvery;
        if (_search.Reduction is { } table && table.GrowthCount != _growthSeen)
        {
            _growthSeen = table.GrowthCount;
            if (!ChoicesStand())
            {
                _search.Doom();
            }
        }

        _search.Tick(_states - _tickStates, _transitions - _tickTransitions, _trailCount, ref _nextReport);
        _tickStates = _states;
        _tickTransitions = _transitions;
    }

    /// <summary>A state behind the current one: its fingerprint, the steps that lead there, and what was chosen there.</summary>
    private readonly record struct Successor(
        ulong Low, ulong High, int ChainStart, int ChainEnd, ulong Chosen, ulong Enabled, ulong Observers);

    private struct Level
    {
        internal int Start;
        internal int Next;
        internal int End;
        internal long UndoMark;
        internal int TrailMark;
        internal int ChainMark;
    }
}
