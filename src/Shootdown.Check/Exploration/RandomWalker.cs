using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// Runs programs at random (fixed seed) so that a pass of an exploration knows most of what they may touch before it starts: a pass
/// that learns something has to be repeated, and a walk costs less than a pass by far. Walks that met something new are varied.
/// </summary>
internal sealed class RandomWalker
{
    private const int WalkSteps = 400;
    private const int WalksMax = 4000;
    private const int VainWalksMax = 64;
    private const int LookAheads = 4;
    private readonly MachineModel _machine;
    private readonly MachineState _state;
    private readonly Agent[] _agents;
    private readonly List<Step[]> _finds = [];
    private readonly Step[] _trail = new Step[WalkSteps];
    private int _length;
    private ulong _random = 1;

    /// <summary>Walks on a state, which is left as it was.</summary>
    internal RandomWalker(MachineState state)
    {
        _state = state;
        _machine = state.Machine;
        _agents = [.. state.Machine.Agents];
    }

    /// <summary>
    /// Looks ahead where an agent came to a place in its program that was not known: before anything is chosen that relies on what the
    /// program may touch from there.
    /// </summary>
    internal void LookAhead(int agent)
    {
        bool counts = _state.CountsJudgements;
        _state.CountsJudgements = false;
        long mark = _state.UndoMark;
        for (int walk = 0; walk < LookAheads; walk++)
        {
            _length = 0;
            Wander(walk, agent);
            _state.UndoTo(mark);
            _state.Violation = null;
        }

        _state.CountsJudgements = counts;
    }

    /// <summary>
    /// Walks until a number of walks met nothing new. Walks differ in how often they switch agents (at every step, or so seldom that
    /// whole calls fall between two steps of another) and where they leave a run that met something new.
    /// </summary>
    internal void Learn()
    {
        bool counts = _state.CountsJudgements;
        _state.CountsJudgements = false;
        long mark = _state.UndoMark;
        int vain = 0;
        for (int walk = 0; walk < WalksMax && vain < VainWalksMax; walk++)
        {
            int known = _machine.LocalStates.EdgeCount;
            Step[] find = walk % 8 < 3 || _finds.Count == 0 ? [] : _finds[(int)(Next() % (ulong)_finds.Count)];
            _length = 0;
            for (int kept = find.Length == 0 ? 0 : (int)(Next() % (ulong)find.Length); _length < kept;)
            {
                Take(find[_length]);
            }

            Wander(walk % 4, -1);
            _state.UndoTo(mark);
            _state.Violation = null;
            vain = known == _machine.LocalStates.EdgeCount ? vain + 1 : 0;
        }

        _state.CountsJudgements = counts;
    }

    private ulong Next() => _random = Hash128.SplitMix(_random);

    /// <summary>Goes on from the current state until nobody can move; remembers the run when something new was met.</summary>
    private void Wander(int persistence, int current)
    {
        int known = _machine.LocalStates.EdgeCount;
        try
        {
            while (_length < WalkSteps && _state.Violation is null)
            {
                ulong random = Next();
                bool stays = current >= 0 && (random & ((1UL << (2 * persistence)) - 1)) != 0;
                current = MoveFrom(stays ? current : (int)((random >> 16) % (ulong)_agents.Length), (uint)(random >> 32));
                if (current < 0)
                {
                    return;
                }

                if (known != _machine.LocalStates.EdgeCount)
                {
                    known = _machine.LocalStates.EdgeCount;
                    _finds.Add(_trail.AsSpan(0, _length).ToArray());
                }
            }
        }
        catch (BoundExceededException)
        {
            // The exploration comes there too and reports it.
        }
    }

    /// <summary>Moves the first agent from a given one on that can move; -1 if none can.</summary>
    private int MoveFrom(int first, uint random)
    {
        for (int i = 0; i < _agents.Length; i++)
        {
            int agent = (first + i) % _agents.Length;
            int alternatives = _state.AlternativesOf(_agents[agent]);
            if (alternatives > 0)
            {
                Take(new Step((byte)agent, (ushort)(random % (uint)alternatives)));
                return agent;
            }
        }

        return -1;
    }

    private void Take(Step step)
    {
        _trail[_length++] = step;
        StepRunner.Step(_state, step.Agent, step.Alternative);
    }
}
