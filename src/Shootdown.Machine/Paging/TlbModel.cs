namespace Shootdown.Machine;

/// <summary>One way in which an access can be translated now.</summary>
/// <param name="Value">The translation; none for a fault.</param>
/// <param name="Faults">True if the access faults.</param>
/// <param name="FromTlb">True if the TLB held it, false if a walk produced it.</param>
/// <param name="EntryAddress">The leaf entry that the walk read; -1 for a TLB hit.</param>
/// <param name="CachedLevel">The level whose cached (old) entry the walk started from; 0 if it came from the root.</param>
/// <param name="CachedTable">That cached entry.</param>
/// <param name="FreedTable">A freed table that the walk read, or -1.</param>
internal readonly record struct AccessChoice(
    Translation Value, bool Faults, bool FromTlb, int EntryAddress, int CachedLevel, Translation CachedTable, int FreedTable);

/// <summary>
/// The TLBs and walk caches of all CPUs, behind one interface: what they may hold, what an access can see, what a flush removes.
/// Words: for every (CPU, ASID, page) a set of translations, for every (CPU, ASID, upper entry) a set of tables.
/// </summary>
internal abstract partial class TlbModel : MachineHandle
{
    internal const int ChoicesMax = 64;
    private readonly int _leaf;
    private readonly int _upper;
    private readonly int _upperPerAsid;
    private readonly int[] _upperStart;

    protected TlbModel(Paging paging)
        : base(paging.Machine)
    {
        Paging = paging;
        MachineOptions options = paging.Machine.Options;
        Asids = options.Asids;
        Cpus = paging.Machine.Translators.Count;
        _leaf = paging.Machine.AllocateRange("tlb", WordKind.Hardware, Cpus * Asids * paging.PageCount);
        for (int i = 0; i < Cpus * Asids * paging.PageCount; i++)
        {
            int cpuAndAsid = i / paging.PageCount;
            paging.Machine.Describe(_leaf + i, new WordPlace(
                $"tlb {cpuAndAsid % Asids}", cpuAndAsid / Asids, Page: i % paging.PageCount, Meaning: WordMeaning.Translations));
        }

        _upperStart = new int[paging.Levels];
        for (int level = 1; level < paging.Levels; level++)
        {
            _upperStart[level] = _upperPerAsid;
            _upperPerAsid += paging.PageCount / paging.SpanOf(level);
        }

        if (!options.WalkCaches)
        {
            _upperPerAsid = 0;
        }

        _upper = paging.Machine.AllocateRange("walk_cache", WordKind.Hardware, Cpus * Asids * _upperPerAsid);
    }

    protected Paging Paging { get; }

    protected int Asids { get; }

    protected int Cpus { get; }

    protected bool HasWalkCaches => _upperPerAsid > 0;

    internal int LeafAddress(int cpu, int asid, int page) => _leaf + (((cpu * Asids) + asid) * Paging.PageCount) + page;

    /// <summary>What a CPU may hold for a page under its current ASID, as of a report.</summary>
    internal ulong LeafSet(MachineState state, int cpu, int asid, int page) => state.Read(LeafAddress(cpu, asid, page));

    internal abstract void BeforeEntryChange(MachineState state, in EntryChange change);

    internal abstract void AfterEntryChange(MachineState state, in EntryChange change);

    /// <summary>All ways in which an access can be translated now; the same order for the same state.</summary>
    internal abstract int Choices(MachineState state, Cpu cpu, int page, bool write, Span<AccessChoice> choices);

    /// <summary>The TLB after an access went one way.</summary>
    internal abstract void Choose(MachineState state, Cpu cpu, int page, in AccessChoice choice);

    /// <summary>True if accesses whose value is not used may leave the TLB as it is (see LaggingTlb).</summary>
    internal abstract bool TouchKeepsContents { get; }

    /// <summary>Drops a page, and what the scope says of the walk caches, under an ASID that need not be the loaded one.</summary>
    internal abstract void FlushPage(MachineState state, Cpu cpu, int asid, int page, WalkCacheScope scope);

    internal abstract void LoadRoot(MachineState state, Cpu cpu, int root, int asid, bool keep);

    internal virtual void AddAgents()
    {
    }

    internal void FlushAsid(MachineState state, Cpu cpu, int asid)
    {
        for (int page = 0; page < Paging.PageCount; page++)
        {
            state.Write(LeafAddress(cpu.Index, asid, page), 0);
        }

        for (int i = 0; i < _upperPerAsid; i++)
        {
            state.Write(_upper + (((cpu.Index * Asids) + asid) * _upperPerAsid) + i, 0);
        }
    }

    /// <summary>A frame was freed: translations to it dangle.</summary>
    internal void FrameFreed(MachineState state, int frame) => MarkDangling(state, _leaf, Cpus * Asids * Paging.PageCount, frame);

    /// <summary>A table was freed: cached pointers to it dangle.</summary>
    internal void TableFreed(MachineState state, int table) => MarkDangling(state, _upper, Cpus * Asids * _upperPerAsid, table);

    /// <summary>
    /// True if a flush of a page, or of everything (page -1), under an ASID drops a value that differs from the page tables;
    /// for the lagging TLB, which keeps only those for the loaded ASID. Of an ASID that is not loaded it keeps
    /// everything that may be cached.
    /// </summary>
    internal bool HoldsStale(MachineState state, Cpu cpu, int asid, int page)
    {
        bool holds = false;
        for (int other = 0; other < Paging.PageCount && !holds; other++)
        {
            ulong set = state.Read(LeafAddress(cpu.Index, asid, other));
            holds = set != 0 && (page < 0 || other == page || TlbInspector.Members(set).Any(value => value.Huge));
        }

        return holds || UpperSets(cpu.Index, asid).Any(address => state.Read(address) != 0);
    }

    /// <summary>What <see cref="HoldsStale"/> reads of a CPU, if costs are counted.</summary>
    internal void AddCostFootprint(Footprint footprint, Cpu cpu)
    {
        if (Machine.Costs is not null)
        {
            footprint.ReadRange(LeafAddress(cpu.Index, 0, 0), Asids * Paging.PageCount);
            footprint.ReadRange(_upper + (cpu.Index * Asids * _upperPerAsid), Asids * _upperPerAsid);
        }
    }

    internal void AddFlushFootprint(Footprint footprint, Cpu cpu)
    {
        footprint.Read(cpu.RootAddress);
        footprint.Read(cpu.AsidAddress);
        footprint.CommuteRange(LeafAddress(cpu.Index, 0, 0), Asids * Paging.PageCount);
        footprint.CommuteRange(_upper + (cpu.Index * Asids * _upperPerAsid), Asids * _upperPerAsid);
    }

    internal void AddPageFlushFootprint(Footprint footprint, Cpu cpu, int page)
    {
        if (HasWalkCaches)
        {
            AddRewriteFootprint(footprint, cpu);
            return;
        }

        footprint.Read(cpu.RootAddress);
        footprint.Read(cpu.AsidAddress);
        for (int asid = 0; asid < Asids; asid++)
        {
            AddLeafFootprint(footprint, cpu.Index, asid, page);
        }
    }

    /// <summary>An invalidation of one ASID on every CPU: of a page, or of everything (page -1).</summary>
    internal void AddBroadcastFootprint(Footprint footprint, int asid, int page, WalkCacheScope scope)
    {
        foreach (Cpu cpu in Paging.Machine.Cpus)
        {
            if (page >= 0 && scope != WalkCacheScope.None && HasWalkCaches)
            {
                AddRewriteFootprint(footprint, cpu);
            }
            else if (page >= 0)
            {
                AddLeafFootprint(footprint, cpu.Index, asid, page);
            }
            else
            {
                footprint.CommuteRange(LeafAddress(cpu.Index, asid, 0), Paging.PageCount);
                footprint.CommuteRange(_upper + (((cpu.Index * Asids) + asid) * _upperPerAsid), _upperPerAsid);
            }
        }
    }

    internal void AddAccessFootprint(Footprint footprint, Cpu cpu, int page, bool changesTlb)
    {
        footprint.Read(cpu.RootAddress);
        footprint.Read(cpu.AsidAddress);
        Paging.AddWalkFootprint(footprint, page);
        if (HasWalkCaches)
        {
            AddRewriteFootprint(footprint, cpu);
        }

        for (int asid = 0; asid < Asids; asid++)
        {
            if (changesTlb)
            {
                footprint.Write(LeafAddress(cpu.Index, asid, page));
            }
            else
            {
                footprint.Read(LeafAddress(cpu.Index, asid, page));
            }
        }
    }

    /// <summary>A root change reads all tables and may rewrite everything that the CPU holds.</summary>
    internal void AddRootFootprint(Footprint footprint, Cpu cpu)
    {
        footprint.Write(cpu.RootAddress);
        footprint.Write(cpu.AsidAddress);
        AddRewriteFootprint(footprint, cpu);
    }

    /// <summary>Whoever drops cached tables may add to the CPU's sets what was reachable through them.</summary>
    internal void AddRewriteFootprint(Footprint footprint, Cpu cpu)
    {
        footprint.Read(cpu.RootAddress);
        footprint.Read(cpu.AsidAddress);
        footprint.WriteRange(LeafAddress(cpu.Index, 0, 0), Asids * Paging.PageCount);
        footprint.WriteRange(_upper + (cpu.Index * Asids * _upperPerAsid), Asids * _upperPerAsid);
        for (int page = 0; page < Paging.PageCount; page++)
        {
            Paging.AddWalkFootprint(footprint, page);
        }
    }

    /// <summary>A change of an entry with this index in some table.</summary>
    internal void AddEntryChangeFootprint(Footprint footprint, int index)
    {
        for (int page = 0; page < Paging.PageCount; page++)
        {
            bool covered = Paging.MayCover(index, page);
            if (Paging.Levels > 1)
            {
                Paging.AddWalkFootprint(footprint, page);
            }

            for (int cpu = 0; covered && cpu < Cpus; cpu++)
            {
                for (int asid = 0; asid < Asids; asid++)
                {
                    footprint.Write(LeafAddress(cpu, asid, page));
                }
            }
        }

        footprint.WriteRange(_upper, Cpus * Asids * _upperPerAsid);
        foreach (Cpu cpu in Paging.Machine.Translators)
        {
            footprint.Read(cpu.RootAddress);
            footprint.Read(cpu.AsidAddress);
        }
    }

    /// <summary>Freeing a frame marks translations to it.</summary>
    internal void AddFrameFreeFootprint(Footprint footprint, int frame)
    {
        for (int page = 0; page < Paging.PageCount; page++)
        {
            for (int cpu = 0; cpu < Cpus && Paging.IsFrameOfPage(frame, page); cpu++)
            {
                for (int asid = 0; asid < Asids; asid++)
                {
                    footprint.Commute(LeafAddress(cpu, asid, page));
                }
            }
        }
    }

    internal void AddTableFreeFootprint(Footprint footprint) => footprint.CommuteRange(_upper, Cpus * Asids * _upperPerAsid);

    /// <summary>The words with what a CPU's walk cache may hold under an ASID.</summary>
    internal IEnumerable<int> UpperSets(int cpu, int asid)
        => Enumerable.Range(_upper + (((cpu * Asids) + asid) * _upperPerAsid), _upperPerAsid);

    /// <summary>Address of the set of cached upper entries; level is at least 1.</summary>
    protected int UpperAddress(int cpu, int asid, int level, int page)
        => _upper + (((cpu * Asids) + asid) * _upperPerAsid) + _upperStart[level] + (page / Paging.SpanOf(level));

    /// <summary>Follows entries in memory from a table to the leaf or to an entry that is not present.</summary>
    protected AccessChoice WalkFrom(
        MachineState state, Cpu cpu, int table, int level, int page, bool write, int cachedLevel, Translation cached)
    {
        MemoryModel model = Paging.Machine.Model;
        int freed = cached.Dangling ? table : -1;
        while (true)
        {
            if (state.Read(Paging.TableLifeAddress(table)) == 0)
            {
                freed = table;
            }

            int address = Paging.EntryAddress(table, level, page);
            var entry = new Pte(model.WalkRead(state, cpu, address));
            if (level > 0 && entry.Present && !entry.Huge)
            {
                table = entry.Frame;
                level--;
                continue;
            }

            bool faults = !entry.Present || (write && !entry.Write);
            Translation value = Translation.Of(entry, level > 0 ? page % Paging.SpanOf(level) : 0);
            return new AccessChoice(faults ? default : value, faults, false, address, cachedLevel, cached, freed);
        }
    }

    /// <summary>True if an invalidation of a page drops this cached upper entry.</summary>
    protected bool IsInScope(WalkCacheScope scope, int level, int first, int page) => scope switch
    {
        WalkCacheScope.None => false,
        WalkCacheScope.Path => Paging.BaseOf(page, level) == first,
        _ => level < Paging.Levels - 1 || !Paging.Machine.Options.StickyTopLevel,
    };

    /// <summary>The set after frames that were marked dangling are mapped again at the same page.</summary>
    protected static ulong Revive(ulong set, int frame)
    {
        ulong result = 0;
        for (ulong rest = set; rest != 0; rest >>= 16)
        {
            var value = new Translation((ushort)rest);
            result = TranslationSet.Add(result, value.Frame == frame ? value.NotDangling() : value);
        }

        return result;
    }

    private void AddLeafFootprint(Footprint footprint, int cpu, int asid, int page)
    {
        footprint.Commute(LeafAddress(cpu, asid, page));
        for (int level = 1; level < Paging.Levels; level++)
        {
            int first = Paging.BaseOf(page, level);
            footprint.CommuteRange(LeafAddress(cpu, asid, first), Paging.SpanOf(level));
        }
    }

    private static void MarkDangling(MachineState state, int first, int count, int frame)
    {
        for (int address = first; address < first + count; address++)
        {
            ulong set = state.Read(address);
            if (set == 0)
            {
                continue;
            }

            ulong marked = 0;
            for (ulong rest = set; rest != 0; rest >>= 16)
            {
                var value = new Translation((ushort)rest);
                marked = TranslationSet.Add(marked, value.Frame == frame ? value.AsDangling() : value);
            }

            state.Write(address, marked);
        }
    }
}
