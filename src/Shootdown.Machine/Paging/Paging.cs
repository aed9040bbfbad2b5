namespace Shootdown.Machine;

/// <summary>
/// Page-table memory, physical frames and the translation hardware of all CPUs. Tables and frames are
/// objects with a life of their own: allocated, freed, used again.
/// </summary>
public sealed partial class Paging : MachineHandle
{
    private readonly int _entries;
    private readonly int _tableLife;
    private readonly int _tableHome;
    private readonly int _tablePlaces;
    private readonly int _frameLife;
    private readonly int _frameContent;
    private readonly int[] _spans;
    private Spinlock?[] _tableLocks;
    private readonly List<AddressSpace> _spaces = [];
    private int _tablesBuilt;

    internal Paging(MachineModel machine)
        : base(machine)
    {
        MachineOptions options = machine.Options;
        Levels = options.Levels;
        EntriesPerTable = options.EntriesPerTable;
        _spans = new int[Levels + 1];
        long pages = 1;
        for (int level = 0; level <= Levels; level++)
        {
            _spans[level] = (int)Math.Min(pages, int.MaxValue);
            pages *= EntriesPerTable;
        }

        PageCount = machine.Timed is not null || _spans[Levels] < int.MaxValue ? _spans[Levels]
            : throw new OverflowException("the machine has more pages than it can number");
        if (machine.Timed is not null)
        {
            _tableLocks = new Spinlock?[64];
            Frames = new TimedFrames(machine);
            Tlb = null!;
            return;
        }

        TableCount = options.Tables;
        _entries = machine.AllocateRange("pte", WordKind.PageTableEntry, TableCount * EntriesPerTable);
        _tableLife = machine.AllocateRange("table.life", WordKind.Hardware, TableCount);
        _tableHome = machine.AllocateRange("table.home", WordKind.Hardware, TableCount);
        _tablePlaces = AllocatePlaces();
        _frameLife = machine.AllocateRange("frame.life", WordKind.Hardware, options.Frames);
        _frameContent = machine.AllocateRange("frame.content", WordKind.Shared, options.Frames);
        DescribeWords();
        Frames = [.. Enumerable.Range(0, options.Frames).Select(f => new FrameWords(machine, f, _frameContent + f))];
        _tableLocks = [.. Enumerable.Range(0, TableCount).Select(t => machine.NewSpinLock(TableCount == 1 ? "ptl" : $"ptl{t}", t))];
        Tlb = options.Tlb == TlbKind.Lagging ? new LaggingTlb(this) : new ExplicitTlb(this);
    }

    /// <summary>Levels of the tables.</summary>
    public int Levels { get; }

    /// <summary>Entries of a table.</summary>
    public int EntriesPerTable { get; }

    /// <summary>Virtual pages of an address space.</summary>
    public int PageCount { get; }

    /// <summary>Page-table pages in the machine.</summary>
    public int TableCount { get; }

    /// <summary>The words of every physical frame.</summary>
    public IReadOnlyList<FrameWords> Frames { get; }

    /// <summary>All address spaces.</summary>
    public IReadOnlyList<AddressSpace> Spaces => _spaces;

    internal TlbModel Tlb { get; }

    /// <summary>The address that a report shows for a page.</summary>
    public static string AddressText(int page) => $"0x{(page + 1) << 12:x}";

    /// <summary>The lock of a table (<c>pte_lockptr</c>).</summary>
    public Spinlock LockOf(int table)
        => (uint)table < (uint)_tableLocks.Length && _tableLocks[table] is { } known ? known : MakeLock(table);

    private Spinlock MakeLock(int table)
    {
        if (Machine.Timed is null)
        {
            throw new ProcRuleException($"there is no page table {table} to lock: a walk that finds none must be looked at before");
        }

        if (table >= _tableLocks.Length)
        {
            Array.Resize(ref _tableLocks, Math.Max(table + 1, _tableLocks.Length * 2));
        }

        return _tableLocks[table] = Machine.NewSpinLock("ptl");
    }

    /// <summary>Makes an address space with an empty top-level table; while the machine is built.</summary>
    public AddressSpace NewAddressSpace(string name)
    {
        int root = Machine.Timed is { } timed ? timed.Tables.AllocTable(null, Levels - 1, 0, _spaces.Count)
            : BuildTable(Levels - 1, 0, _spaces.Count);
        var space = new AddressSpace(Machine, _spaces.Count, name, root);
        _spaces.Add(space);
        return space;
    }

    /// <summary>Makes all tables on the way to a page and returns the leaf table; while the machine is built.</summary>
    public PageTable BuildPath(AddressSpace space, int page)
    {
        int table = space.RootTable;
        for (int level = Levels - 1; level > 0; level--)
        {
            int address = EntryAddress(table, level, page);
            var entry = new Pte(Machine.WordInfo(address).Initial);
            if (!entry.Present)
            {
                entry = Pte.Table(BuildTable(level - 1, BaseOf(page, level), space.Index));
                Machine.SetInitial(address, entry.Bits);
            }

            table = entry.Frame;
        }

        return new PageTable(table, 0, BaseOf(page, 1));
    }

    /// <summary>Maps a frame at a page in the initial state; the frame counts as allocated, with one more reference.</summary>
    public void BuildMapping(AddressSpace space, int page, Pte leaf)
    {
        PageTable table = BuildPath(space, page);
        Machine.SetInitial(EntryAddress(table.Index, 0, page), leaf.Bits);
        BuildFrame(leaf.Frame);
        FrameWords frame = Frames[leaf.Frame];
        Machine.SetInitial(frame.RefCount.Address, Machine.WordInfo(frame.RefCount.Address).Initial + 1);
    }

    /// <summary>Marks a frame as allocated in the initial state.</summary>
    public void BuildFrame(int frame) => Machine.SetInitial(_frameLife + frame, 1);

    /// <summary>The address spaces' first CPU state: the root is loaded before the check starts.</summary>
    public void BuildLoadedRoot(Cpu cpu, AddressSpace space, int asid)
    {
        Machine.SetInitial(cpu.RootAddress, (ulong)space.Index + 1);
        Machine.SetInitial(cpu.AsidAddress, (ulong)asid);
    }

    /// <summary>Number of pages that one entry of a level maps.</summary>
    public int SpanOf(int level) => _spans[level];

    /// <summary>First page that the entry of a level maps, for a page.</summary>
    public int BaseOf(int page, int level)
    {
        int span = _spans[level];
        return (span & (span - 1)) == 0 ? page & -span : page / span * span;
    }

    internal int EntryAddress(int table, int level, int page)
        => _entries + (table * EntriesPerTable) + (page / SpanOf(level) % EntriesPerTable);

    internal int TableLifeAddress(int table) => _tableLife + table;

    internal int FrameLifeAddress(int frame) => _frameLife + frame;

    internal int FrameContentAddress(int frame) => _frameContent + frame;

    /// <summary>True if the allocator may give the frame to the page (same colour).</summary>
    public bool IsFrameOfPage(int frame, int page)
        => frame % Machine.Options.FrameColours == page % Machine.Options.FrameColours;

    /// <summary>The same for what kernel code names, which may be no table at all.</summary>
    /// <exception cref="ProcRuleException">There is no such table or page.</exception>
    internal int CheckedEntryAddress(PageTable table, int page, string function)
        => table.Index >= 0 && table.Index < TableCount && page >= 0 && page < PageCount
            ? EntryAddress(table.Index, table.Level, page)
            : throw new ProcRuleException(
                $"{function} of page {page} in table {table.Index}: there is no such table or page. A walk that finds no table (Index < 0) "
                + "must be looked at before its entries are");

    /// <summary>Address of the word of an entry.</summary>
    public int EntryAddressOf(PageTable table, int page) => EntryAddress(table.Index, table.Level, page);

    /// <summary>Level of a live table; -1 if it is free.</summary>
    internal int LevelOf(MachineState state, int table) => (int)state.Read(_tableLife + table) - 1;

    internal (AddressSpace Space, int BasePage) HomeOf(MachineState state, int table)
    {
        ulong home = state.Read(_tableHome + table);
        return (_spaces[(int)(home >> 32)], (int)(home & 0xffff_ffff));
    }

    /// <summary>Space and first page of a table's place, even after it was freed (until it is used again).</summary>
    internal int HomeAddress(int table) => _tableHome + table;

    internal void AddAgents() => Tlb.AddAgents();

    /// <summary>An entry reaches memory: TLBs learn what they may still hold, then the word changes.</summary>
    internal void Commit(MachineState state, int address, ulong value)
    {
        ulong old = state.Read(address);
        if (old == value)
        {
            return;
        }

        int table = (address - _entries) / EntriesPerTable;
        int index = (address - _entries) % EntriesPerTable;
        ulong home = state.Read(_tableHome + table);
        int level = LevelOf(state, table);
        if (level < 0)
        {
            state.Violation ??= new Violation("P-life", $"A freed page-table page (table {table}) is written.");
            state.Write(address, value);
            return;
        }

        AddressSpace space = _spaces[(int)(home >> 32)];
        int page = (int)(home & 0xffff_ffff) + (index * SpanOf(level));
        var change = new EntryChange(space, table, level, page, new Pte(old), new Pte(value));
        if (Machine.Options.SharedTables && level == 0)
        {
            CommitShared(state, address, change);
            return;
        }

        if (Machine.Options.MovableTables)
        {
            CommitMovable(state, address, change);
            return;
        }

        Tlb.BeforeEntryChange(state, change);
        state.Write(address, value);
        Tlb.AfterEntryChange(state, change);
        Report(state, change);
    }

    /// <summary>Properties are told of a change that was made.</summary>
    private void Report(MachineState state, in EntryChange change)
    {
        if (change.Level == 0)
        {
            ReportChange(state, change.Space, change.Page, change.Old, change.New);
        }
        else if (change.Old.Huge || change.New.Huge)
        {
            ReportHugeChange(state, change);
        }
        else
        {
            JudgeLostTable(state, change);
            foreach (MachineMonitor monitor in Machine.Monitors)
            {
                monitor.OnTableChanged(state, change.Space, change.Page, SpanOf(change.Level));
            }
        }
    }

    /// <summary>
    /// A leaf entry in a table that several address spaces may have: a CPU that runs any of them may have cached it. Properties are
    /// told of those in which the table is hooked now.
    /// </summary>
    private void CommitShared(MachineState state, int address, in EntryChange change)
    {
        foreach (AddressSpace space in _spaces)
        {
            Tlb.BeforeEntryChange(state, change with { Space = space });
        }

        state.Write(address, change.New.Bits);
        foreach (AddressSpace space in _spaces)
        {
            Tlb.AfterEntryChange(state, change with { Space = space });
            int table = space.RootTable;
            for (int level = Levels - 1; level > 0 && table >= 0; level--)
            {
                var entry = new Pte(state.Read(EntryAddress(table, level, change.Page)));
                table = entry.Present && !entry.Huge ? entry.Frame : -1;
            }

            foreach (MachineMonitor monitor in table == change.Table ? Machine.Monitors : [])
            {
                monitor.OnEntryChanged(state, space, change.Page, change.Old, change.New);
            }
        }
    }

    /// <summary>A huge leaf appeared or went: properties see the small pages that it maps.</summary>
    private void ReportHugeChange(MachineState state, in EntryChange change)
    {
        for (int i = 0; i < SpanOf(change.Level); i++)
        {
            Pte old = SmallPart(change.Old, i);
            Pte now = SmallPart(change.New, i);
            ReportChange(state, change.Space, change.Page + i, old, now);
        }

        static Pte SmallPart(Pte entry, int offset) => entry.Huge ? new Pte(entry.Bits + ((ulong)offset << 16)) : Pte.None;
    }

    private void ReportChange(MachineState state, AddressSpace space, int page, Pte old, Pte now)
    {
        for (int i = 0; i < Machine.SoftwareMmus.Count && now.Present; i++)
        {
            Machine.SoftwareMmus[i].FrameMapped(state, space, page, now.Frame);
        }

        foreach (MachineMonitor monitor in Machine.Monitors)
        {
            monitor.OnEntryChanged(state, space, page, old, now);
        }
    }

    internal void AddCommitFootprint(Footprint footprint, int address)
    {
        int index = (address - _entries) % EntriesPerTable;
        int table = (address - _entries) / EntriesPerTable;
        footprint.Read(_tableLife + table);
        footprint.Read(_tableHome + table);
        if (Machine.Options.MovableTables)
        {
            AddPlaceFootprint(footprint);
        }

        if (Machine.Options.SharedTables)
        {
            footprint.ReadRange(_entries, TableCount * EntriesPerTable);
        }

        Tlb.AddEntryChangeFootprint(footprint, index);
        for (int page = 0; page < PageCount; page++)
        {
            if (MayCover(index, page))
            {
                foreach (SoftwareMmu mmu in Machine.SoftwareMmus)
                {
                    mmu.AddEntryChangeFootprint(footprint, page);
                }

                foreach (MachineMonitor monitor in Machine.Monitors)
                {
                    monitor.AddEntryChangedFootprint(footprint, page);
                }
            }
        }
    }

    /// <summary>True if an entry with this index in some table can map the page.</summary>
    internal bool MayCover(int index, int page)
    {
        for (int level = 0; level < Levels; level++)
        {
            if (page / SpanOf(level) % EntriesPerTable == index)
            {
                return true;
            }
        }

        return false;
    }

    internal void AddContentFootprint(Footprint footprint) => footprint.WriteRange(_frameContent, Frames.Count);

    /// <summary>All page-table words that a walk for the page may read.</summary>
    internal void AddWalkFootprint(Footprint footprint, int page)
    {
        footprint.ReadRange(_tableLife, TableCount);
        for (int table = 0; table < TableCount; table++)
        {
            for (int level = 0; level < Levels; level++)
            {
                footprint.Read(EntryAddress(table, level, page));
            }
        }
    }

    private int BuildTable(int level, int basePage, int space)
    {
        if (_tablesBuilt == TableCount)
        {
            throw new ArgumentException($"the machine has {TableCount} page-table pages; this scenario needs more: raise MachineOptions.Tables");
        }

        int table = _tablesBuilt++;
        Machine.SetInitial(_tableLife + table, (ulong)level + 1);
        Machine.SetInitial(_tableHome + table, HomeValue(space, basePage));
        if (Machine.Options.MovableTables)
        {
            Machine.SetInitial(_tablePlaces + table, PlaceBit(basePage));
        }

        return table;
    }
}
