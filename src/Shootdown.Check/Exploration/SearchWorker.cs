using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// One thread of the depth-first search. Successors of a state are executed once to learn their fingerprints (while the
/// table's cache lines are on their way), undone, looked up, and the new ones are executed again to go on from there.
/// </summary>
internal sealed class SearchWorker
{
    private const int TickEvery = 512;
    private readonly SharedSearch _search;
    private readonly MachineModel _machine;
    private readonly MachineState _state;
    private readonly AmpleChooser? _chooser;
    private readonly Agent[] _agents;
    private Successor[] _successors = new Successor[4096];
    private Level[] _levels = new Level[1024];
    private int _successorCount;
    private int _depth;
    private int _base;
    private Step[] _prefix = [];
    private long _states;
    private long _transitions;
    private long _tickStates;
    private long _tickTransitions;
    private int _untilTick = TickEvery;
    private double _nextReport = 1;

    internal SearchWorker(SharedSearch search, int index)
    {
        _search = search;
        Index = index;
        _machine = search.Model.Machine;
        _agents = [.. _machine.Agents];
        _state = new MachineState(_machine);
        _chooser = search.Reduction is { } table ? new AmpleChooser(_machine, table) : null;
    }

    internal int Index { get; }

    internal long States => _states;

    internal long Transitions => _transitions;

    internal long Executions { get; private set; }

    internal int DepthMax { get; private set; }

    internal IReadOnlyList<long> Judgements => _state.Judgements;

    /// <summary>Works until the whole search is done; the first worker starts at the initial state.</summary>
    internal void Run()
    {
        try
        {
            StepRunner.RunPrologues(_state);
            ulong[] words = _state.Words.ToArray();
            LocalState[] locals = _state.Locals.ToArray();
            Step[]? work = Index == 0 ? [] : _search.Take();
            if (Index == 0)
            {
                _search.Visited.Add(_state.HashLow, _state.HashHigh);
                _states++;
            }

            while (work is not null)
            {
                _state.Restore(words, locals);
                Explore(work);
                work = _search.Take();
            }
        }
        catch (Exception failure) when (failure is ProcRuleException or BoundExceededException)
        {
            _search.Fail(failure);
        }

        Tick();
    }

    private void Explore(Step[] prefix)
    {
        _prefix = prefix;
        _state.CountsJudgements = false;
        foreach (Step step in prefix)
        {
            StepRunner.Step(_state, step.Agent, step.Alternative);
        }

        _state.ForgetUndo();
        _depth = 0;
        _base = 0;
        _successorCount = 0;
        Expand();
        while (_depth > 0 && !_search.Stopped)
        {
            ref Level level = ref _levels[_depth - 1];
            if (level.Next == level.End)
            {
                Leave();
                continue;
            }

            if (_search.WantsWork)
            {
                GiveWork();
                continue;
            }

            Enter(_successors[level.Next++].Step);
            Expand();
        }
    }

    private void Enter(Step step)
    {
        ref Level level = ref _levels[_depth - 1];
        level.Taken = step;
        level.OldLocal = _state.LocalOf(step.Agent);
        level.UndoMark = _state.UndoMark;
        _state.CountsJudgements = false;
        StepRunner.Step(_state, step.Agent, step.Alternative);
    }

    private void Leave()
    {
        _depth--;
        _successorCount = _levels[_depth].Start;
        if (_depth > 0)
        {
            ref Level above = ref _levels[_depth - 1];
            _state.UndoTo(above.UndoMark);
            _state.SetLocal(above.Taken.Agent, above.OldLocal);
        }
    }

    /// <summary>Pushes the current state with its unvisited successors.</summary>
    private void Expand()
    {
        if (--_untilTick == 0)
        {
            Tick();
        }

        ulong enabled = 0;
        for (int agent = 0; agent < _agents.Length; agent++)
        {
            if (_state.AlternativesOf(_agents[agent]) > 0)
            {
                enabled |= 1UL << agent;
            }
        }

        int start = _successorCount;
        if (enabled == 0)
        {
            AtFinalState();
        }
        else
        {
            ulong chosen = _chooser?.Choose(_state, enabled) ?? enabled;
            for (ulong rest = chosen; rest != 0; rest &= rest - 1)
            {
                ExecuteAll(System.Numerics.BitOperations.TrailingZeroCount(rest));
            }

            KeepNew(start);
        }

        if (_depth == _levels.Length)
        {
            Array.Resize(ref _levels, _depth * 2);
        }

        _levels[_depth++] = new Level { Start = start, Next = start, End = _successorCount };
        DepthMax = Math.Max(DepthMax, _prefix.Length + _depth - 1);
    }

    private void ExecuteAll(int agent)
    {
        _state.CountsJudgements = true;
        LocalState old = _state.LocalOf(agent);
        int mark = _state.UndoMark;
        int alternatives = _state.AlternativesOf(_agents[agent]);
        for (int alternative = 0; alternative < alternatives; alternative++)
        {
            var step = new Step((byte)agent, (ushort)alternative);
            StepRunner.Step(_state, agent, alternative);
            _transitions++;
            if (_state.Violation is { } violation)
            {
                _search.Report(violation, PathTo(step));
                _state.Violation = null;
            }

            if (_successorCount == _successors.Length)
            {
                Array.Resize(ref _successors, _successorCount * 2);
            }

            _successors[_successorCount++] = new Successor(step, _state.HashLow, _state.HashHigh);
            _search.Visited.Prefetch(_state.HashLow, _state.HashHigh);
            _state.UndoTo(mark);
            _state.SetLocal(agent, old);
        }
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
        if (Deadlock.Judge(_state) is { } violation)
        {
            _search.Report(violation, PathTo(null));
        }

        if (_search.CollectFinalStates)
        {
            _search.AddFinalState(FinalState.Digest(_state));
        }
    }

    /// <summary>Gives away one unexplored successor of the shallowest level that has any left besides the deepest.</summary>
    private void GiveWork()
    {
        while (_base < _depth && _levels[_base].Next == _levels[_base].End)
        {
            _base++;
        }

        int at = Math.Min(_base, _depth - 1);
        ref Level level = ref _levels[at];
        if (level.Next == level.End)
        {
            return;
        }

        Step step = _successors[--level.End].Step;
        var path = new Step[_prefix.Length + at + 1];
        _prefix.CopyTo(path, 0);
        for (int i = 0; i < at; i++)
        {
            path[_prefix.Length + i] = _levels[i].Taken;
        }

        path[^1] = step;
        _search.Give(path);
    }

    private List<Step> PathTo(Step? last)
    {
        var path = new List<Step>(_prefix);
        for (int i = 0; i < _depth; i++)
        {
            path.Add(_levels[i].Taken);
        }

        if (last is { } step)
        {
            path.Add(step);
        }

        return path;
    }

    private void Tick()
    {
        _untilTick = TickEvery;
        _search.Tick(_states - _tickStates, _transitions - _tickTransitions, _prefix.Length + _depth, ref _nextReport);
        _tickStates = _states;
        _tickTransitions = _transitions;
    }

    private readonly record struct Successor(Step Step, ulong Low, ulong High);

    private struct Level
    {
        internal int Start;
        internal int Next;
        internal int End;
        internal int UndoMark;
        internal Step Taken;
        internal LocalState OldLocal;
    }
}
