namespace Shootdown.Machine;

/// <summary>Old values: what joins the sets, what leaves them, and which tables the hardware can reach.</summary>
internal sealed partial class LaggingTlb
{
    private static void Remember(MachineState state, int address, Translation value)
    {
        if (address >= 0)
        {
            state.Write(address, TranslationSet.Add(state.Read(address), value));
        }
    }

    private int UpperAddressOrNone(int cpu, int asid, int level, int page)
        => HasWalkCaches ? UpperAddress(cpu, asid, level, page) : -1;

    /// <summary>Everything below a table becomes an old value that the CPU may hold.</summary>
    private void RememberBelow(MachineState state, Cpu cpu, int asid, int table, int level, int basePage, int exceptPage)
    {
        for (int index = 0; index < Paging.EntriesPerTable; index++)
        {
            int page = basePage + (index * Paging.SpanOf(level));
            var entry = new Pte(state.Read(Paging.EntryAddress(table, level, page)));
            if (!entry.Present)
            {
                continue;
            }

            if (level > 0 && !entry.Huge)
            {
                Remember(state, UpperAddressOrNone(cpu.Index, asid, level, page), Translation.OfTable(entry.Frame));
                RememberBelow(state, cpu, asid, entry.Frame, level - 1, page, exceptPage);
                continue;
            }

            for (int offset = 0; offset < Paging.SpanOf(level); offset++)
            {
                if (page + offset != exceptPage)
                {
                    Remember(state, LeafAddress(cpu.Index, asid, page + offset), Translation.Of(entry, offset));
                }
            }
        }
    }

    /// <summary>Values that are current again under a newly loaded root need not be stored.</summary>
    private void ForgetBelow(MachineState state, Cpu cpu, int asid, int table, int level, int basePage)
    {
        for (int index = 0; index < Paging.EntriesPerTable; index++)
        {
            int page = basePage + (index * Paging.SpanOf(level));
            var entry = new Pte(state.Read(Paging.EntryAddress(table, level, page)));
            if (!entry.Present)
            {
                continue;
            }

            if (level > 0 && !entry.Huge)
            {
                if (HasWalkCaches)
                {
                    int upper = UpperAddress(cpu.Index, asid, level, page);
                    state.Write(upper, TranslationSet.Remove(state.Read(upper), Translation.OfTable(entry.Frame)));
                }

                ForgetBelow(state, cpu, asid, entry.Frame, level - 1, page);
                continue;
            }

            for (int offset = 0; offset < Paging.SpanOf(level); offset++)
            {
                int leaf = LeafAddress(cpu.Index, asid, page + offset);
                state.Write(leaf, TranslationSet.Remove(state.Read(leaf), Translation.Of(entry, offset)));
            }
        }
    }

    /// <summary>Drops cached tables of an upper entry but keeps, for other pages, what was reachable through them.</summary>
    private void ForgetTables(MachineState state, Cpu cpu, int asid, int level, int page, ulong keep, int exceptPage)
    {
        RememberThroughTables(state, cpu, asid, level, page, keep, exceptPage);
        state.Write(UpperAddress(cpu.Index, asid, level, page), keep);
    }

    private void RememberThroughTables(MachineState state, Cpu cpu, int asid, int level, int page, ulong keep, int exceptPage)
    {
        int first = Paging.BaseOf(page, level);
        for (ulong rest = state.Read(UpperAddress(cpu.Index, asid, level, page)); rest != 0; rest >>= 16)
        {
            var cached = new Translation((ushort)rest);
            if (!TranslationSet.Contains(keep, cached) && !cached.Dangling)
            {
                RememberBelow(state, cpu, asid, cached.Frame, level - 1, first, exceptPage);
            }
        }
    }

    /// <summary>True if the CPU's hardware can reach the changed table: from its root or from a cached upper entry.</summary>
    private bool Reaches(MachineState state, Cpu cpu, int asid, int root, in EntryChange change)
    {
        if (Leads(state, root, Paging.Levels - 1, change))
        {
            return true;
        }

        for (int level = change.Level + 1; level < Paging.Levels && HasWalkCaches; level++)
        {
            for (ulong rest = state.Read(UpperAddress(cpu.Index, asid, level, change.Page)); rest != 0; rest >>= 16)
            {
                if (Leads(state, new Translation((ushort)rest).Frame, level - 1, change))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private bool Leads(MachineState state, int table, int level, in EntryChange change)
    {
        while (level > change.Level)
        {
            var entry = new Pte(state.Read(Paging.EntryAddress(table, level, change.Page)));
            if (!entry.Present || entry.Huge)
            {
                return false;
            }

            table = entry.Frame;
            level--;
        }

        return table == change.Table;
    }
}
