using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// One random schedule after the other, on one thread. Two of three are drawn as by PCT (Burckhardt, Kothari, Musuvathi, Nagarakatte, "A
/// Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010): agents have random priorities, the highest
/// that can move does, and at a few random places the one that moves falls behind all others. A race that takes d orderings among n
/// agents and k steps is met with a probability of at least 1 / (n k^(d-1)) a run. In the others any agent moves at any time.
/// </summary>
internal sealed class RandomRun
{
    /// <summary>A run that is longer is given up: its programs may go round for ever.</summary>
    private const int LengthLimit = 10_000;

    /// <summary>Steps in a row after which an agent falls behind all others: it may be waiting for one of them in a loop.</summary>
    private const int StreakMax = 500;

    private const int ChangesMax = 6;
    private readonly MachineState _state;
    private readonly Agent[] _agents;
    private readonly int[] _priorities;
    private readonly int[] _changes = new int[ChangesMax];
    private readonly int _lengthExpected;
    private readonly long _start;
    private readonly List<Step> _trail = [];
    private ulong _random;
    private int _lowest;
    private int _streak;

    /// <summary>Prepares the initial state.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="lengthExpected">Steps of a run: where priorities may change.</param>
    internal RandomRun(MachineModel machine, int lengthExpected)
    {
        _state = new MachineState(machine);
        _agents = [.. machine.Agents];
        _priorities = new int[_agents.Length];
        _lengthExpected = lengthExpected;
        StepRunner.RunPrologues(_state);
        _state.CountsJudgements = true;
        _start = _state.UndoMark;
    }

    /// <summary>Steps of the last run.</summary>
    internal int Length => _trail.Count;

    /// <summary>Steps of the longest run.</summary>
    internal int LengthMax { get; private set; }

    /// <summary>Runs that ended because no program could move any more.</summary>
    internal long Executions { get; private set; }

    /// <summary>The steps of the last run.</summary>
    internal Step[] Path => [.. _trail];

    /// <summary>Judgements by property slot, of all runs.</summary>
    internal IReadOnlyList<long> Judgements => _state.Judgements;

    /// <summary>Runs one schedule from the initial state, and goes back there.</summary>
    /// <param name="seed">What it is drawn from.</param>
    /// <param name="usesPriorities">False lets any agent move at any time.</param>
    internal Violation? Run(ulong seed, bool usesPriorities)
    {
        _trail.Clear();
        _random = seed;
        bool isUniform = !usesPriorities || Draw(3) == 0;
        DrawPriorities();
        Violation? violation = Observed();
        while (violation is null && _trail.Count < LengthLimit && !FinalJudge.IsFinal(_state))
        {
            Take(isUniform ? AnyEnabled() : HighestEnabled());
            violation = _state.Violation ?? Observed();
        }

        if (violation is null && FinalJudge.IsFinal(_state))
        {
            Executions++;
            violation = FinalJudge.Judge(_state);
        }

        _state.Violation = null;
        _state.UndoTo(_start);
        LengthMax = Math.Max(LengthMax, _trail.Count);
        return violation;
    }

    private int Draw(int bound)
    {
        _random = Hash128.SplitMix(_random);
        return (int)((_random >> 32) % (ulong)bound);
    }

    /// <summary>A random order of the agents, and places at which whoever moves falls behind.</summary>
    private void DrawPriorities()
    {
        for (int i = 0; i < _priorities.Length; i++)
        {
            int place = Draw(i + 1);
            _priorities[i] = _priorities[place];
            _priorities[place] = i;
        }

        _lowest = -1;
        _streak = 0;
        int count = Draw(ChangesMax + 1);
        for (int i = 0; i < ChangesMax; i++)
        {
            _changes[i] = i < count ? Draw(_lengthExpected) : -1;
        }
    }

    /// <summary>Agents that only look, and may do so at any time, do it now: a violation that they see.</summary>
    private Violation? Observed()
    {
        for (int agent = 0; agent < _agents.Length; agent++)
        {
            int ways = IsObserver(agent) ? _state.AlternativesOf(_agents[agent]) : 0;
            for (int way = 0; way < ways; way++)
            {
                long mark = _state.UndoMark;
                StepRunner.Step(_state, agent, way);
                if (_state.Violation is { } violation)
                {
                    _trail.Add(new Step((byte)agent, (ushort)way));
                    return violation;
                }

                _state.UndoTo(mark);
            }
        }

        return null;
    }

    private bool IsObserver(int agent) => _state.LocalOf(agent).Operation is { IsObservation: true };

    private bool CanMove(int agent) => _state.AlternativesOf(_agents[agent]) > 0 && !IsObserver(agent);

    private int AnyEnabled()
    {
        int first = Draw(_agents.Length);
        for (int i = 0; i < _agents.Length; i++)
        {
            int agent = (first + i) % _agents.Length;
            if (CanMove(agent))
            {
                return agent;
            }
        }

        return -1;
    }

    private int HighestEnabled()
    {
        int highest = Highest();
        if (highest >= 0 && (_streak >= StreakMax || Array.IndexOf(_changes, _trail.Count) >= 0))
        {
            _priorities[highest] = _lowest--;
            _streak = 0;
            highest = Highest();
        }

        return highest;
    }

    private int Highest()
    {
        int highest = -1;
        for (int agent = 0; agent < _agents.Length; agent++)
        {
            if ((highest < 0 || _priorities[agent] > _priorities[highest]) && CanMove(agent))
            {
                highest = agent;
            }
        }

        return highest;
    }

    private void Take(int agent)
    {
        int way = Draw(_state.AlternativesOf(_agents[agent]));
        _streak = _trail.Count > 0 && _trail[^1].Agent == agent ? _streak + 1 : 0;
        _trail.Add(new Step((byte)agent, (ushort)way));
        StepRunner.Step(_state, agent, way);
    }
}
