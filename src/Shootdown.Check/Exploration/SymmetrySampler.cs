using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// Tests a declared symmetry on states that a search visits: the successors of a state's image must be the images of its
/// successors, and violations must be found in both or in neither. Looks at the first states and then at fewer and fewer.
/// </summary>
internal sealed class SymmetrySampler
{
    private const int FirstStates = 64;
    private const int LookEvery = 1021;
    private readonly MachineSymmetry _symmetry;
    private readonly MachineState _image;
    private readonly MachineState _successor;
    private readonly ulong[] _words;
    private readonly LocalState[] _locals;
    private long _seen;

    internal SymmetrySampler(MachineSymmetry symmetry)
    {
        _symmetry = symmetry;
        _image = new MachineState(symmetry.Machine) { CountsJudgements = false };
        _successor = new MachineState(symmetry.Machine) { CountsJudgements = false };
        _words = new ulong[symmetry.Machine.WordCount];
        _locals = new LocalState[symmetry.Machine.Agents.Count];
    }

    /// <summary>Maybe tests the state under one of the transpositions.</summary>
    /// <exception cref="ProcRuleException">The symmetry does not hold.</exception>
    internal void Look(MachineState state)
    {
        _seen++;
        if (_symmetry.GeneratorCount == 0 || state.Violation is not null || (_seen > FirstStates && _seen % LookEvery != 0))
        {
            return;
        }

        int generator = (int)((_seen / (_seen > FirstStates ? LookEvery : 1)) % _symmetry.GeneratorCount);
        _symmetry.Image(generator, state, _words, _locals);
        _image.Restore(_words, _locals);
        bool counts = state.CountsJudgements;
        state.CountsJudgements = false;
        List<(ulong, ulong, bool)> images = Successors(state, generator);
        List<(ulong, ulong, bool)> successors = Successors(_image, -1);
        state.CountsJudgements = counts;
        if (!images.SequenceEqual(successors))
        {
            throw new ProcRuleException(
                "the declared symmetry does not hold: a state and the same state under other names of CPUs and pages do not have the same successors; "
                + "some operation uses a number of a CPU, page or frame that no permutation knows of (a word without its WordPlace, an operand made of a number)");
        }
    }

    /// <summary>Fingerprints of all successors, or of their images, in order.</summary>
    private List<(ulong Low, ulong High, bool Violates)> Successors(MachineState state, int generator)
    {
        var found = new List<(ulong, ulong, bool)>();
        foreach (Agent agent in _symmetry.Machine.Agents)
        {
            int ways = state.AlternativesOf(agent);
            for (int way = 0; way < ways; way++)
            {
                long mark = state.UndoMark;
                StepRunner.Step(state, agent.Index, way);
                if (generator >= 0)
                {
                    _symmetry.Image(generator, state, _words, _locals);
                    _successor.Restore(_words, _locals);
                    found.Add((_successor.HashLow, _successor.HashHigh, state.Violation is not null));
                }
                else
                {
                    found.Add((state.HashLow, state.HashHigh, state.Violation is not null));
                }

                state.UndoTo(mark);
                state.Violation = null;
            }
        }

        found.Sort();
        return found;
    }
}
