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
public sealed class MachineSymmetry
{
    private const int OrbitMax = 100_000;
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
    private LocalRoles?[] _roles = new LocalRoles?[256];

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

    internal LocalRoles RolesOf(LocalState local)
    {
        LocalRoles?[] roles = _roles;
        return (local.Id < roles.Length ? Volatile.Read(ref roles[local.Id]) : null) ?? FindRoles(local);
    }

    private LocalRoles FindRoles(LocalState local)
    {
        lock (_gate)
        {
            CheckEdges();
            if (local.Id >= _roles.Length || _roles[local.Id] is null)
            {
                AssignRoles(local);
            }

            return _roles[local.Id]!;
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

    private bool NextUnchecked(out (LocalState From, long Result, LocalState To) edge)
    {
        lock (_unchecked)
        {
            return _unchecked.TryDequeue(out edge);
        }
    }

    private void CheckEdges()
    {
        while (NextUnchecked(out (LocalState From, long Result, LocalState To) edge))
        {
            LocalState?[] slot = SlotOf(edge.To);
            for (int generator = 0; generator < _generators.Length; generator++)
            {
                LocalState there = FollowImage(generator, edge.From, edge.Result);
                slot[generator] ??= there;
                if (!ReferenceEquals(slot[generator], there))
                {
                    throw NotAlike(edge.From, "two ways to the same place lead to different ones under other names");
                }

                RequireSameStep(generator, edge.To, there);
            }
        }
    }

    private LocalState FollowImage(int generator, LocalState from, long result)
        => ImageOf(generator, from).Next(from.Operation!.ResultUnder(_generators[generator], result));

    private LocalState ImageOf(int generator, LocalState local)
    {
        if (SlotOf(local)[generator] is { } known)
        {
            return known;
        }

        CheckEdges();
        return SlotOf(local)[generator]
            ?? throw new InvalidOperationException("a local state was reached without an edge: this is a bug of the checker");
    }

    private LocalState?[] SlotOf(LocalState local)
    {
        while (_images.Count <= local.Id)
        {
            _images.Add(new LocalState?[_generators.Length]);
        }

        return _images[local.Id];
    }

    /// <summary>Both must wait for the same kind of operation on corresponding words.</summary>
    private void RequireSameStep(int generator, LocalState local, LocalState image)
    {
        if (local.Operation?.GetType() != image.Operation?.GetType() || local.Operation?.IsLocal != image.Operation?.IsLocal)
        {
            throw NotAlike(local, $"{local.Agent} comes to {local.Operation?.Text ?? "its end"}, its counterpart {image.Agent} to {image.Operation?.Text ?? "its end"}");
        }

        if (Digest(WordsOf(local), _addresses[generator]) != Digest(WordsOf(image), _identity))
        {
            throw NotAlike(local, $"{local.Operation!.Text} of {local.Agent} and {image.Operation!.Text} of its counterpart {image.Agent} touch words that do not correspond");
        }
    }

    /// <summary>The words that a local state's operation may touch: twice the address, and 1 if it may write.</summary>
    private int[] WordsOf(LocalState local)
    {
        if (!_footprints.TryGetValue(local.Id, out int[]? words))
        {
            var footprint = new Footprint(Machine.WordCount);
            local.Operation?.AddFootprint(footprint);
            words = [.. Enumerable.Range(0, Machine.WordCount).Where(footprint.Touches)
                .Select(address => (address << 1) | (footprint.Writes(address) ? 1 : 0))];
            _footprints.Add(local.Id, words);
        }

        return words;
    }

    private static UInt128 Digest(int[] words, int[] addresses)
    {
        UInt128 digest = 0;
        foreach (int word in words)
        {
            ulong image = (2 * (ulong)addresses[word >> 1]) + (ulong)(word & 1);
            digest += new UInt128(Hash128.Mix(image + 1), Hash128.SplitMix(image));
        }

        return digest;
    }

    /// <summary>Finds all images of a local state and names the parts that CPUs and pages play in them.</summary>
    private void AssignRoles(LocalState local)
    {
        List<LocalState> orbit = OrbitOf(local);
        LocalState first = orbit.MinBy(member => (member.HashHigh, member.HashLow))!;
        byte[] cpus = RolesIn(first, 0, _cpus.Length);
        byte[] pages = RolesIn(first, Math.Max(0, _cpus.Length - 1), PageCount);
        int commonCpu = MostCommon(cpus);
        int commonPage = MostCommon(pages);
        var found = new Dictionary<LocalState, LocalRoles>();
        var work = new Stack<LocalState>();
        Set(first, cpus, pages);
        while (work.TryPop(out LocalState? member))
        {
            LocalRoles roles = found[member];
            for (int generator = 0; generator < _generators.Length; generator++)
            {
                byte[] movedCpus = roles.Cpus;
                byte[] movedPages = roles.Pages;
                int swap = generator - Math.Max(0, _cpus.Length - 1);
                if (swap >= 0)
                {
                    movedPages = [.. roles.Pages];
                    (movedPages[swap], movedPages[swap + 1]) = (movedPages[swap + 1], movedPages[swap]);
                }
                else
                {
                    movedCpus = [.. roles.Cpus];
                    (movedCpus[generator], movedCpus[generator + 1]) = (movedCpus[generator + 1], movedCpus[generator]);
                }

                Set(ImageOf(generator, member), movedCpus, movedPages);
            }
        }

        foreach (LocalState member in orbit)
        {
            if (member.Id >= _roles.Length)
            {
                var longer = new LocalRoles?[Math.Max(member.Id + 1, _roles.Length * 2)];
                _roles.CopyTo(longer, 0);
                _roles = longer;
            }

            Volatile.Write(ref _roles[member.Id], found[member]);
        }

        int distinct = found.Values.Select(roles => (Convert.ToHexString(roles.Cpus), Convert.ToHexString(roles.Pages))).Distinct().Count();
        if (distinct != orbit.Count)
        {
            throw NotAlike(local, "its locals relate CPUs or pages with each other in a way that the checker cannot tell apart");
        }

        void Set(LocalState member, byte[] cpuRoles, byte[] pageRoles)
        {
            if (found.TryGetValue(member, out LocalRoles? there))
            {
                if (!there.Cpus.AsSpan().SequenceEqual(cpuRoles) || !there.Pages.AsSpan().SequenceEqual(pageRoles))
                {
                    throw NotAlike(local, "its locals relate CPUs or pages with each other in a way that the checker cannot tell apart");
                }

                return;
            }

            found.Add(member, new LocalRoles
            {
                KeyLow = first.HashLow,
                KeyHigh = first.HashHigh,
                Cpus = cpuRoles,
                Pages = pageRoles,
                NamedCpus = [.. cpuRoles.Select((role, index) => (_cpus[index], (int)role)).Where(named => named.Item2 != commonCpu)],
                NamedPages = [.. pageRoles.Select((role, page) => (page, (int)role)).Where(named => named.Item2 != commonPage)],
                Home = _homeOf[member.Agent.Index] >= 0 ? _cpus[_homeOf[member.Agent.Index]] : -1,
            });
            work.Push(member);
        }
    }

    private List<LocalState> OrbitOf(LocalState local)
    {
        var orbit = new List<LocalState> { local };
        var seen = new HashSet<LocalState> { local };
        for (int i = 0; i < orbit.Count; i++)
        {
            for (int generator = 0; generator < _generators.Length; generator++)
            {
                LocalState image = ImageOf(generator, orbit[i]);
                if (seen.Add(image))
                {
                    orbit.Add(image);
                }
            }

            if (orbit.Count > OrbitMax)
            {
                throw NotAlike(local, $"its locals distinguish more than {OrbitMax} arrangements of CPUs and pages");
            }
        }

        return orbit;
    }

    /// <summary>Two parts play the same role if exchanging them leaves the local state as it is.</summary>
    private byte[] RolesIn(LocalState local, int firstGenerator, int count)
    {
        byte[] roles = new byte[count];
        byte next = 0;
        for (int part = 0; part < count; part++)
        {
            int same = -1;
            for (int earlier = 0; earlier < part && same < 0; earlier++)
            {
                same = IsFixedByExchange(local, firstGenerator, earlier, part) ? earlier : -1;
            }

            roles[part] = same >= 0 ? roles[same] : next++;
        }

        return roles;
    }

    /// <summary>The exchange of two parts as transpositions of neighbours: there and back.</summary>
    private bool IsFixedByExchange(LocalState local, int firstGenerator, int low, int high)
    {
        LocalState image = local;
        for (int i = low; i < high; i++)
        {
            image = ImageOf(firstGenerator + i, image);
        }

        for (int i = high - 2; i >= low; i--)
        {
            image = ImageOf(firstGenerator + i, image);
        }

        return ReferenceEquals(image, local);
    }

    private static int MostCommon(byte[] roles)
        => roles.Length == 0 ? -1 : roles.GroupBy(role => role).OrderByDescending(group => group.Count()).ThenBy(group => group.Key).First().Key;

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
