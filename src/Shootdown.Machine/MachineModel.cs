namespace Shootdown.Machine;

/// <summary>
/// The immutable description of a machine: its CPUs, words, page-table hardware, memory model and agents. Built once
/// for a check; every thread then runs states of it.
/// </summary>
public sealed partial class MachineModel
{
    private const int CheckedCpusMax = 16;
    private readonly List<WordInfo> _words = [];
    private readonly List<Promise> _promises = [];
    private readonly List<SoftwareMmu> _softwareMmus = [];
    private readonly List<PinRequest> _pinRequests = [];
    private readonly List<int> _lockWords = [];
    private readonly List<RwSemaphore> _semaphores = [];
    private readonly List<Spinlock> _spinLocks = [];
    private readonly List<Srcu> _srcus = [];
    private readonly Dictionary<int, WordPlace> _places = [];
    private int _handles;
    private int[] _pagingWordOf = [];
    private ulong[]? _keyLow;
    private ulong[]? _keyHigh;

    /// <summary>Builds the hardware; kernel structures and agents are added next, then <see cref="Seal"/>.</summary>
    public MachineModel(MachineOptions options)
        : this(options, null)
    {
    }

    /// <summary>Builds a machine that measures, if it is given what performs its operations: its sizes are real ones.</summary>
    public MachineModel(MachineOptions options, TimedExecution? timed)
    {
        ArgumentNullException.ThrowIfNull(options);
        Timed = timed;
        if (timed is null)
        {
            DirectRun.ExpectExploration();
        }

        Require(
            options.Cpus >= 1 && options.Cpus <= (timed is null ? CheckedCpusMax : CpuSet.CpusMax),
            $"cpus must be 1 to {(timed is null ? CheckedCpusMax : CpuSet.CpusMax)}");
        Require(options.Levels is >= 1 and <= 4, "page-table levels must be 1 to 4");
        Require(options.EntriesPerTable is >= 1 and <= 512, "entries per table must be 1 to 512");
        Require(
            options.Frames >= 0 && options.Frames <= (timed is null ? 1023 : 1 << 26),
            timed is null ? "frames must be 0 to 1023" : "frames must be 0 to 67108864");
        Require(options.StoreBufferDepth is >= 1 and <= 16, "the store buffer must have 1 to 16 entries");
        Require(options.Devices is >= 0 and <= 4, "devices must be 0 to 4");
        Options = options;
        timed?.Attach(this);
        LocalStates = new LocalStates();
        Cpus = [.. Enumerable.Range(0, options.Cpus).Select(index => new Cpu(this, index))];
        Devices = [.. Enumerable.Range(0, options.Devices).Select(index => new Device(this, index))];
        Translators = [.. Cpus, .. Devices.SelectMany(device => new[] { device.Iommu, device.Atc })];
        Interrupts = new Interrupts(this);
        Rcu = new Rcu(this);
        Paging = new Paging(this);
        Model = options.Model == MemoryModelKind.Sc ? new ScMemory(this) : new TsoMemory(this, options.StoreBufferDepth);
    }

    /// <summary>Sizes and features.</summary>
    public MachineOptions Options { get; }

    /// <summary>What performs operations if this machine measures; null if it is checked.</summary>
    public TimedExecution? Timed { get; }

    /// <summary>The CPUs, by index.</summary>
    public IReadOnlyList<Cpu> Cpus { get; }

    /// <summary>All CPUs as a set.</summary>
    public CpuSet AllCpus => CpuSet.FirstCpus(Options.Cpus);

    /// <summary>Words of a set of CPUs in memory.</summary>
    internal int CpuMaskWords => (Options.Cpus + CpuSet.WordBits - 1) / CpuSet.WordBits;

    /// <summary>The devices that translate through page tables of CPUs, by index.</summary>
    public IReadOnlyList<Device> Devices { get; }

    /// <summary>Everything that holds translations: the CPUs, then the IOMMU and the own TLB of each device.</summary>
    public IReadOnlyList<Cpu> Translators { get; }

    /// <summary>Page tables, frames, TLBs and walk caches.</summary>
    public Paging Paging { get; }

    /// <summary>Interrupt flags and IPIs.</summary>
    public Interrupts Interrupts { get; }

    /// <summary>RCU read sections and grace periods.</summary>
    public Rcu Rcu { get; }

    /// <summary>The memory model that kernel memory follows.</summary>
    public MemoryModel Model { get; }

    /// <summary>The agents' programs as far as they have been run.</summary>
    public LocalStates LocalStates { get; }

    /// <summary>Properties that watch the machine.</summary>
    public List<MachineMonitor> Monitors { get; } = [];

    /// <summary>The promises of all programs.</summary>
    public IReadOnlyList<Promise> Promises => _promises;

    /// <summary>Secondary MMUs whose tables the kernel fills.</summary>
    public IReadOnlyList<SoftwareMmu> SoftwareMmus => _softwareMmus;

    /// <summary>All calls of programs that look up pages for somebody to hold.</summary>
    public IReadOnlyList<PinRequest> PinRequests => _pinRequests;

    /// <summary>Number of words.</summary>
    public int WordCount => _words.Count;

    /// <summary>True once <see cref="Seal"/> ran: no words or agents can be added.</summary>
    public bool IsSealed { get; private set; }

    /// <summary>A word of kernel memory.</summary>
    /// <param name="name">Name for reports.</param>
    /// <param name="initial">Value in the initial state.</param>
    /// <param name="place">Whose word it is, if it is one of a family.</param>
    /// <param name="show">How reports print a value of it; as a decimal number if null.</param>
    public Word NewWord(string name, ulong initial = 0, WordPlace? place = null, Func<ulong, string>? show = null)
        => new(this, Described(Allocate(name, WordKind.Shared, initial), place), name, WordKind.Shared, null, show);

    /// <summary>A word that only one CPU touches: using it is no scheduling point.</summary>
    /// <param name="owner">The CPU.</param>
    /// <param name="name">Name for reports.</param>
    /// <param name="initial">Value in the initial state.</param>
    /// <param name="place">Whose word it is, if it is one of a family.</param>
    public Word NewLocalWord(Cpu owner, string name, ulong initial = 0, WordPlace? place = null)
        => new(this, Described(Allocate(name, WordKind.Local, initial), place), name, WordKind.Local, owner);

    /// <summary>A set of CPUs in kernel memory.</summary>
    public CpuMask NewCpuMask(string name) => MaskFrom(NewWord(name, show: ValueText.Cpus));

    /// <summary>A set of CPUs that only one CPU touches: using it is no scheduling point.</summary>
    public CpuMask NewLocalCpuMask(Cpu owner, string name) => MaskFrom(NewLocalWord(owner, name));

    /// <summary>A spinlock.</summary>
    public Spinlock NewSpinLock(string name) => NewSpinLock(name, -1);

    /// <summary>A spinlock that is freed with a page table (<c>ptlock_free</c>); -1 for one that lives as long as the machine.</summary>
    internal Spinlock NewSpinLock(string name, int table)
    {
        var made = new Spinlock(this, name, table);
        _spinLocks.Add(made);
        NoteLock(made.Word);
        return made;
    }

    /// <summary>A sleeping mutex.</summary>
    public KernelMutex NewMutex(string name)
    {
        var made = new KernelMutex(this, name);
        NoteLock(made.Word);
        return made;
    }

    /// <summary>All spinlocks.</summary>
    internal IReadOnlyList<Spinlock> SpinLocks => _spinLocks;

    internal bool IsSpinLock(int address) => _spinLocks.Any(spinLock => spinLock.Word.Address == address);

    /// <summary>True if the word is that of an exclusive lock, whose value names its owner.</summary>
    public bool IsLockWord(int address) => _lockWords.Contains(address);

    /// <summary>Addresses of words that programs wait for to become 0: exclusive locks, outstanding acknowledgements of IPIs.</summary>
    public IReadOnlyList<int> BarrierWords => [.. _lockWords, .. Interrupts.OutstandingWords];

    /// <summary>A reader-writer semaphore.</summary>
    public RwSemaphore NewRwSemaphore(string name)
    {
        var made = new RwSemaphore(this, name);
        _semaphores.Add(made);
        return made;
    }

    /// <summary>All reader-writer semaphores of a checked machine.</summary>
    internal IReadOnlyList<RwSemaphore> Semaphores => _semaphores;

    /// <summary>Addresses of the words of exclusive locks.</summary>
    internal IReadOnlyList<int> LockWords => _lockWords;

    /// <summary>A domain of sleepable RCU.</summary>
    public Srcu NewSrcu(string name)
    {
        var made = new Srcu(this, name);
        _srcus.Add(made);
        return made;
    }

    /// <summary>All domains of sleepable RCU.</summary>
    internal IReadOnlyList<Srcu> Srcus => _srcus;

    /// <summary>Ends building: adds the hardware's own agents and fixes the layout.</summary>
    public void Seal()
    {
        RequireUnsealed();
        Require(
            !_agents.Any(agent => agent is { Kind: AgentKind.Task, Cpu: { } cpu } && (cpu.Bit & _sharedCpus) != 0),
            "a CPU that movable tasks may use has no task bound to it");
        Interrupts.AddAgents();
        Rcu.AddAgents();
        Model.AddAgents();
        Paging.AddAgents();
        _softwareMmus.ForEach(mmu => mmu.AddAgents());

        foreach (Device device in Devices)
        {
            device.Queue.AddAgents();
        }

        FixLayout();
    }

    private void FixLayout()
    {
        Costs?.Seal();
        _pagingWordOf = new int[_words.Count];
        for (int i = 0; i < _words.Count; i++)
        {
            _pagingWordOf[i] = _words[i].Kind == WordKind.PageTableEntry ? 1 : 0;
        }

        _keyLow = [.. Enumerable.Range(0, _words.Count).Select(i => Hash128.SplitMix(2 * (ulong)i))];
        _keyHigh = [.. Enumerable.Range(0, _words.Count).Select(i => Hash128.SplitMix((2 * (ulong)i) + 1))];
        IsSealed = true;
    }

    /// <summary>Name, kind and initial value of a word.</summary>
    public WordInfo WordInfo(int address)
        => Timed is null ? _words[address] : new WordInfo($"word {address}", WordKind.Shared, Timed.Memory.Read(address));

    /// <summary>Sets a word's value in the initial state.</summary>
    public void SetInitial(int address, ulong value)
    {
        if (Timed is not null)
        {
            Timed.Memory.Write(address, value);
            return;
        }

        RequireUnsealed();
        _words[address] = _words[address] with { Initial = value };
    }

    /// <summary>Reserves a word and returns its address.</summary>
    public int Allocate(string name, WordKind kind, ulong initial = 0)
    {
        if (Timed is not null)
        {
            return Timed.Memory.Allocate(initial);
        }

        RequireUnsealed();
        _words.Add(new WordInfo(name, kind, initial));
        return _words.Count - 1;
    }

    /// <summary>Reserves consecutive words and returns the address of the first.</summary>
    public int AllocateRange(string name, WordKind kind, int count)
    {
        int first = Timed is null ? _words.Count : Timed.Memory.Count;
        for (int i = 0; i < count; i++)
        {
            Allocate($"{name}[{i}]", kind);
        }

        return first;
    }

    /// <summary>Says whose word it is: a check that uses symmetry needs to know.</summary>
    public void Describe(int address, WordPlace place)
    {
        if (Timed is not null)
        {
            return;
        }

        RequireUnsealed();
        _places[address] = place;
    }

    /// <summary>Whose word it is.</summary>
    public WordPlace PlaceOf(int address)
        => _places.TryGetValue(address, out WordPlace place) ? place : new WordPlace($"word {address}");

    /// <summary>A value reaches memory: the only way in which kernel words change.</summary>
    internal void Commit(MachineState state, int address, ulong value)
    {
        if (_pagingWordOf[address] != 0)
        {
            Paging.Commit(state, address, value);
        }
        else
        {
            state.Write(address, value);
        }
    }

    internal void AddCommitFootprint(Footprint footprint, int address)
    {
        footprint.Write(address);
        if (_words[address].Kind == WordKind.PageTableEntry)
        {
            Paging.AddCommitFootprint(footprint, address);
        }
    }

    /// <summary>Any word that a buffered store could be headed for.</summary>
    internal void AddAnyCommitFootprint(Footprint footprint)
    {
        for (int address = 0; address < _words.Count; address++)
        {
            if (_words[address].Kind is WordKind.Shared or WordKind.PageTableEntry)
            {
                AddCommitFootprint(footprint, address);
            }
        }

        Paging.AddContentFootprint(footprint);
    }

    internal void AddPinRequest(PinRequest request)
    {
        RequireUnsealed();
        _pinRequests.Add(request);
    }

    internal void AddPromise(Promise promise)
    {
        if (Timed is null)
        {
            RequireUnsealed();
            _promises.Add(promise);
        }
    }

    /// <summary>The words of a mask stand behind each other.</summary>
    private CpuMask MaskFrom(Word first)
    {
        for (int i = 1; i < CpuMaskWords; i++)
        {
            Allocate($"{first.Name}[{i}]", first.Kind);
        }

        return new CpuMask(first);
    }

    private void NoteLock(Word word)
    {
        if (Timed is null)
        {
            _lockWords.Add(word.Address);
        }
    }

    internal void AddSoftwareMmu(SoftwareMmu mmu)
    {
        RequireUnsealed();
        _softwareMmus.Add(mmu);
    }

    internal int NextHandleId() => ++_handles;

    private int Described(int address, WordPlace? place)
    {
        if (place is { } known)
        {
            Describe(address, known);
        }

        return address;
    }

    internal ulong[] InitialWords() => [.. _words.Select(word => word.Initial)];

    internal (ulong[] Low, ulong[] High) WordKeys()
        => (_keyLow ?? throw new InvalidOperationException("the machine is not sealed"), _keyHigh!);

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new ArgumentException(message, nameof(condition));
        }
    }

    private void RequireUnsealed()
    {
        if (IsSealed)
        {
            throw new ProcRuleException("the machine is sealed: words, locks and agents are made before the check starts, not by running code");
        }
    }
}
