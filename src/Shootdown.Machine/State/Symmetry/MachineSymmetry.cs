namespace Shootdown.Machine;

/// <summary>
/// The symmetry of a machine with interchangeable CPUs and pages: what a renaming of them does to words and to the local
/// states of its programs. Thread-safe.
/// </summary>
/// <remarks>
/// <para>The image of a local state is found by running: an agent's first local state goes to that of the same agent
/// of the image CPU, and what follows a result goes to what follows the image of the result there. So programs may
/// keep anything in their locals. For every edge of every program that was run, and every transposition of two neighbours
/// (they generate all renamings), it is checked that the image edge leads to the image, that both wait for the same kind
/// of operation, and that the words which one may touch are the images of those which the other may touch. A program that treats
/// CPUs or pages differently, or visits them in the order of their numbers, is refused.</para>
/// <para>What an operation does to words is not looked at here: the explorer compares all successors of sampled states with
/// those of their images.</para>
/// </remarks>
public sealed partial class MachineSymmetry
{
    private readonly Lock _gate = new();
    private readonly Permutation[] _generators;
    private readonly int[][] _addresses;
    private readonly int[][] _agents;
    private readonly int[] _cpus;
    private readonly int[] _homeOf;
    private readonly Queue<(LocalState From, long Result, LocalState To)> _unchecked = new();
    private readonly List<LocalState?[]> _images = [];
    private readonly Dictionary<int, int[]> _footprints = [];
    private readonly int[] _identity;

    /// <summary>Checks that the machine's words and initial state are symmetric, and watches its programs from here on.</summary>
    /// <exception cref="ProcRuleException">The declared parts are not interchangeable.</exception>
    public MachineSymmetry(MachineModel machine, SymmetricParts parts)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(parts);
        Machine = machine;
        _cpus = [.. parts.Cpus.Select(cpu => cpu.Index).Order()];
        PageCount = parts.Pages ? machine.Paging.PageCount : 0;
        Require(machine.Options.Model == MemoryModelKind.Sc, "symmetry is known for sequential consistency only");
        if (parts.Pages)
        {
            Require(machine.Options.Levels == 1, "pages can be interchangeable only under one level of page tables");
            Require(machine.Options.FrameColours == PageCount && machine.Options.Frames % PageCount == 0,
                "interchangeable pages need a frame colour each: set MachineOptions.FrameColours to the number of pages and Frames to a multiple of it");
        }

        _homeOf = [.. machine.Agents.Select(agent => agent.Cpu is { } cpu ? Array.IndexOf(_cpus, cpu.Index) : -1)];
        _identity = [.. Enumerable.Range(0, machine.WordCount)];
        _generators = [.. Generators()];
        _addresses = [.. _generators.Select(MapAddresses)];
        _agents = [.. _generators.Select(MapAgents)];
        RequireSymmetricStart();
        Watch();
    }

    /// <summary>The machine.</summary>
    public MachineModel Machine { get; }

    /// <summary>Transpositions of neighbours, of which all renamings are made.</summary>
    public int GeneratorCount => _generators.Length;

    /// <summary>Indices of the interchangeable CPUs, ascending.</summary>
    internal IReadOnlyList<int> Cpus => _cpus;

    /// <summary>Number of interchangeable pages; 0 if they are not.</summary>
    internal int PageCount { get; }

    /// <summary>One of the transpositions.</summary>
    public Permutation Generator(int generator) => _generators[generator];

    /// <summary>The image of a state under a transposition, as words and local states.</summary>
    public void Image(int generator, MachineState state, Span<ulong> words, Span<LocalState> locals)
    {
        ArgumentNullException.ThrowIfNull(state);
        for (int address = 0; address < state.Words.Length; address++)
        {
            WordMeaning meaning = Machine.PlaceOf(address).Meaning;
            words[_addresses[generator][address]] = _generators[generator].ValueOf(meaning, state.Read(address));
        }

        for (int agent = 0; agent < locals.Length; agent++)
        {
            lock (_gate)
            {
                locals[_agents[generator][agent]] = ImageOf(generator, state.LocalOf(agent));
            }
        }
    }

    /// <summary>Checks all edges of programs that were found and not checked yet.</summary>
    /// <exception cref="ProcRuleException">A program treats interchangeable parts differently.</exception>
    public void CheckPrograms()
    {
        lock (_gate)
        {
            CheckEdges();
        }
    }

    private IEnumerable<Permutation> Generators()
    {
        int[] cpus = [.. Enumerable.Range(0, Machine.Cpus.Count)];
        int[] pages = [.. Enumerable.Range(0, Math.Max(1, Machine.Options.FrameColours))];
        for (int i = 0; i + 1 < _cpus.Length; i++)
        {
            int[] swapped = [.. cpus];
            (swapped[_cpus[i]], swapped[_cpus[i + 1]]) = (_cpus[i + 1], _cpus[i]);
            yield return new Permutation(swapped, pages);
        }

        for (int i = 0; i + 1 < PageCount; i++)
        {
            int[] swapped = [.. pages];
            (swapped[i], swapped[i + 1]) = (i + 1, i);
            yield return new Permutation(cpus, swapped);
        }
    }

    private int[] MapAddresses(Permutation permutation)
    {
        var known = new Dictionary<WordPlace, int>();
        for (int address = 0; address < Machine.WordCount; address++)
        {
            Require(known.TryAdd(Machine.PlaceOf(address) with { Meaning = WordMeaning.Plain }, address),
                $"{Machine.WordInfo(address).Name} has the same place as another word");
        }

        return [.. Enumerable.Range(0, Machine.WordCount).Select(address =>
        {
            WordPlace place = Machine.PlaceOf(address);
            var image = new WordPlace(
                place.Family,
                place.Cpu < 0 ? -1 : permutation.CpuOf(place.Cpu),
                place.OtherCpu < 0 ? -1 : permutation.CpuOf(place.OtherCpu),
                place.Page < 0 || PageCount == 0 ? place.Page : permutation.PageOf(place.Page));
            Require(place.Page < 0 || place.Meaning != WordMeaning.PageNumber || PageCount == 0,
                $"{Machine.WordInfo(address).Name} belongs to a page and names another");
            Require(place.Page >= 0 || place.Meaning is not (WordMeaning.Entry or WordMeaning.Translations) || PageCount == 0,
                $"{Machine.WordInfo(address).Name} holds frames but belongs to no page");
            Require(known.TryGetValue(image, out int there) && Machine.PlaceOf(there).Meaning == place.Meaning,
                $"{Machine.WordInfo(address).Name} has no counterpart for another of the interchangeable parts");
            return known[image];
        })];
    }

    private int[] MapAgents(Permutation permutation)
    {
        var known = new Dictionary<(string, AgentKind, int, int), int>();
        var keys = new List<(string Name, AgentKind Kind, int Cpu, int Number)>();
        foreach (Agent agent in Machine.Agents)
        {
            int cpu = agent.Cpu?.Index ?? -1;
            int number = keys.Count(key => key.Name == agent.Name && key.Kind == agent.Kind && key.Cpu == cpu);
            keys.Add((agent.Name, agent.Kind, cpu, number));
            known.Add(keys[^1], agent.Index);
        }

        return [.. keys.Select((key, index) =>
        {
            (string, AgentKind, int, int) image = (key.Name, key.Kind, key.Cpu < 0 ? -1 : permutation.CpuOf(key.Cpu), key.Number);
            Require(known.TryGetValue(image, out int there) && Machine.Agents[there].MayStop == Machine.Agents[index].MayStop,
                $"{Machine.Agents[index]} has no counterpart on another of the interchangeable CPUs");
            return known[image];
        })];
    }

    private void RequireSymmetricStart()
    {
        for (int generator = 0; generator < _generators.Length; generator++)
        {
            for (int address = 0; address < Machine.WordCount; address++)
            {
                ulong image = _generators[generator].ValueOf(Machine.PlaceOf(address).Meaning, Machine.WordInfo(address).Initial);
                Require(Machine.WordInfo(_addresses[generator][address]).Initial == image,
                    $"the initial value of {Machine.WordInfo(address).Name} is not that of its counterparts");
            }
        }
    }

    private void Watch()
    {
        LocalStates locals = Machine.LocalStates;
        locals.EdgeDiscovered = (from, result, to) =>
        {
            lock (_unchecked)
            {
                _unchecked.Enqueue((from, result, to));
            }
        };
        for (int id = 0; id < locals.Count; id++)
        {
            foreach ((long result, LocalState next) in locals[id].Successors)
            {
                locals.EdgeDiscovered(locals[id], result, next);
            }
        }

        foreach (Agent agent in Machine.Agents)
        {
            for (int generator = 0; generator < _generators.Length; generator++)
            {
                LocalState image = Machine.Agents[_agents[generator][agent.Index]].Initial;
                SlotOf(agent.Initial)[generator] = image;
                RequireSameStep(generator, agent.Initial, image);
            }
        }
    }

    private static void Require(bool condition, string why)
    {
        if (!condition)
        {
            throw new ProcRuleException($"the declared symmetry does not hold: {why}");
        }
    }

    private static ProcRuleException NotAlike(LocalState local, string why) => new(
        $"the declared symmetry does not hold: {(local.CallStack() is [.., string last] ? last : "the program")} of {local.Agent} "
        + $"treats interchangeable CPUs or pages differently: {why}");
}
