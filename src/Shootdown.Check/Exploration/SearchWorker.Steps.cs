using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>The steps of a search: taken, taken again, and chained.</summary>
internal sealed partial class SearchWorker
{
    private void Take(Step step)
    {
        if (_trailCount == _trail.Length)
        {
            Array.Resize(ref _trail, _trailCount * 2);
        }

        _trail[_trailCount++] = step;
        StepRunner.Step(_state, step.Agent, step.Alternative);
        if (_edgesSeen != _machine.LocalStates.EdgeCount)
        {
            LookAhead(step.Agent);
        }

        _transitions += _state.CountsJudgements ? 1 : 0;
        if (_state.Violation is { } violation && _state.CountsJudgements)
        {
            _search.Report(violation, _trail[.._trailCount]);
        }
    }

    private void LookAhead(int agent)
    {
        if (_chooser is not null && _search.RemembersChoices && _state.Violation is null)
        {
            _walker.LookAhead(agent);
        }

        _edgesSeen = _machine.LocalStates.EdgeCount;
    }

    /// <summary>Goes to a successor by the steps that led there, and to what was chosen there.</summary>
    private void TakeAgain(in Successor successor)
    {
        _state.CountsJudgements = false;
        for (int i = successor.ChainStart; i < successor.ChainEnd; i++)
        {
            Take(_chains[i]);
        }

        _chosen = successor.Chosen;
        _enabled = successor.Enabled;
        _observers = successor.Observers;
    }

    /// <summary>
    /// Goes on while one agent has one way to move and nobody else needs to be considered: the states in between lead
    /// nowhere else and need not be remembered. Ends before every loop head. Not used without reduction.
    /// </summary>
    private void Chain()
    {
        while (_chooser is not null && _state.Violation is null)
        {
            FindEnabled();
            if ((_enabled & _programs) == 0)
            {
                break;
            }

            ulong chosen = _chooser.Choose(_state, _enabled, _observers, out bool isReduced);
            int agent = System.Numerics.BitOperations.TrailingZeroCount(chosen);
            if (!isReduced || (chosen & (chosen - 1)) != 0 || _state.AlternativesOf(_agents[agent]) != 1)
            {
                _chosen = chosen;
                return;
            }

            Observe();
            if (_state.Violation is null)
            {
                Take(new Step((byte)agent, 0));
            }
        }

        _chosen = _enabled & ~_observers;
    }

    private void FindEnabled()
    {
        _enabled = 0;
        _observers = 0;
        for (int agent = 0; agent < _agents.Length; agent++)
        {
            if (_state.AlternativesOf(_agents[agent]) > 0)
            {
                _enabled |= 1UL << agent;
                _observers |= _state.LocalOf(agent).Operation!.IsObservation ? 1UL << agent : 0;
            }
        }
    }

    private void Observe()
    {
        for (ulong rest = _state.CountsJudgements ? _observers : 0; rest != 0; rest &= rest - 1)
        {
            int agent = System.Numerics.BitOperations.TrailingZeroCount(rest);
            for (int way = 0; way < _state.AlternativesOf(_agents[agent]) && _state.Violation is null; way++)
            {
                (ulong low, ulong high) = (_state.HashLow, _state.HashHigh);
                Take(new Step((byte)agent, (ushort)way));
                _trailCount--;
                if ((low, high) != (_state.HashLow, _state.HashHigh))
                {
                    throw new ProcRuleException($"{_agents[agent]}: {_state.LocalOf(agent).Operation?.Text} says that it only observes, but it changed the state");
                }
            }
        }
    }
}
