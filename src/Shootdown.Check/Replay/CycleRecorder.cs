using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>Watches the steps of a cycle while they are replayed, to judge whether they can go on for ever.</summary>
internal sealed class CycleRecorder
{
    private readonly (ulong Low, ulong High) _start;
    private readonly IReadOnlyList<string>?[] _calls;
    private CycleTally _tally;

    /// <summary>Begins in a state.</summary>
    internal CycleRecorder(MachineState state)
    {
        _start = (state.HashLow, state.HashHigh);
        _calls = new IReadOnlyList<string>?[state.Machine.Agents.Count];
        _tally = CycleTally.Empty;
        Look(state);
    }

    /// <summary>Adds a step and the state behind it.</summary>
    internal void Add(MachineState state, Step step)
    {
        _tally = _tally.With(step);
        Look(state);
    }

    /// <summary>What is wrong with the cycle, now that it has led back; null if nothing is.</summary>
    /// <exception cref="ScheduleException">It has not led back.</exception>
    internal Violation? Judge(MachineState state) => (state.HashLow, state.HashHigh) == _start
        ? ProgressSearch.Judge(state, _tally, _calls)
        : throw new ScheduleException("the steps behind the '/' of the schedule do not lead back to the state in which they begin");

    private void Look(MachineState state)
    {
        _tally = _tally.With(AgentMasks.Of(state));
        for (int agent = 0; agent < _calls.Length; agent++)
        {
            IReadOnlyList<string> now = state.LocalOf(agent).CallStack();
            _calls[agent] = _calls[agent] is { } before
                ? [.. before.Zip(now).TakeWhile(pair => pair.First == pair.Second).Select(pair => pair.First)]
                : now;
        }
    }
}
