using Shootdown.Check;
using Shootdown.Machine;

namespace Shootdown.Tests.Symmetry;

/// <summary>
/// All reachable states of a small model, found by the simplest possible search, and what each renaming of
/// neighbours does to them: the slow truth that the fast search is compared with.
/// </summary>
internal sealed class ReachableStates
{
    private readonly Dictionary<(ulong, ulong), int> _numbers = [];
    private readonly List<(ulong[] Words, LocalState[] Locals)> _states = [];
    private readonly List<HashSet<int>> _successors = [];
    private readonly MachineModel _machine;
    private readonly MachineState _state;

    internal ReachableStates(CheckModel model)
    {
        _machine = model.Machine;
        _state = new MachineState(_machine) { CountsJudgements = false };
        StepRunner.RunPrologues(_state);
        NumberOf(_state);
        for (int i = 0; i < _states.Count; i++)
        {
            _successors.Add(Successors(i));
        }
    }

    internal int Count => _states.Count;

    internal bool Violates { get; private set; }

    /// <summary>
    /// The number of classes of states that are images of each other, after checking that every image is reachable and has
    /// the images of the successors as its successors: then the renamings are automorphisms of the whole state space.
    /// </summary>
    internal int[] Orbits(MachineSymmetry symmetry)
    {
        int[] root = [.. Enumerable.Range(0, Count)];
        var words = new ulong[_machine.WordCount];
        var locals = new LocalState[_machine.Agents.Count];
        for (int generator = 0; generator < symmetry.GeneratorCount; generator++)
        {
            int[] image = new int[Count];
            for (int i = 0; i < Count; i++)
            {
                _state.Restore(_states[i].Words, _states[i].Locals);
                symmetry.Image(generator, _state, words, locals);
                _state.Restore(words, locals);
                Assert.True(_numbers.TryGetValue((_state.HashLow, _state.HashHigh), out image[i]), "the image of a reachable state is not reachable");
                root[Find(i)] = Find(image[i]);
            }

            for (int i = 0; i < Count; i++)
            {
                Assert.True(
                    _successors[image[i]].SetEquals(_successors[i].Select(successor => image[successor])),
                    "the successors of an image are not the images of the successors");
            }
        }

        return [.. Enumerable.Range(0, Count).Select(Find)];

        int Find(int i)
        {
            while (root[i] != i)
            {
                i = root[i] = root[root[i]];
            }

            return i;
        }
    }

    internal (ulong Low, ulong High)[] CanonicalFingerprints(MachineSymmetry symmetry)
    {
        var canonical = new CanonicalFingerprint(symmetry);
        return [.. _states.Select(state =>
        {
            _state.Restore(state.Words, state.Locals);
            return canonical.Of(_state);
        })];
    }

    private HashSet<int> Successors(int number)
    {
        var found = new HashSet<int>();
        foreach (Agent agent in _machine.Agents)
        {
            _state.Restore(_states[number].Words, _states[number].Locals);
            int ways = _state.AlternativesOf(agent);
            for (int way = 0; way < ways; way++)
            {
                _state.Restore(_states[number].Words, _states[number].Locals);
                StepRunner.Step(_state, agent.Index, way);
                Violates |= _state.Violation is not null;
                found.Add(NumberOf(_state));
            }
        }

        return found;
    }

    private int NumberOf(MachineState state)
    {
        if (!_numbers.TryGetValue((state.HashLow, state.HashHigh), out int number))
        {
            number = _states.Count;
            _numbers.Add((state.HashLow, state.HashHigh), number);
            _states.Add((state.Words.ToArray(), state.Locals.ToArray()));
        }

        return number;
    }
}
