namespace Shootdown.Machine;

/// <content>Tables that change their place (<see cref="MachineOptions.MovableTables"/>): mremap unhooks one and hooks it in elsewhere.</content>
/// <remarks>
/// A table's place is that of the entry that points to it, from the instant at which that entry is in memory. A walk cache may go on pointing
/// to the table from its old place; then what is written into the table is seen there too, until the cached pointer is flushed.
/// </remarks>
public sealed partial class Paging
{
    /// <summary>
    /// Words with the places at which each table was hooked in since it was allocated, as a mask: a walk in software that found it at one of
    /// them goes on reading the same table, wherever that is now.
    /// </summary>
    private int AllocatePlaces()
    {
        if (!Machine.Options.MovableTables)
        {
            return -1;
        }

        if (Machine.Options.SharedTables)
        {
            throw new ArgumentException("MovableTables and SharedTables exclude each other: a moved table has one place");
        }

        return SpanOf(Levels) / SpanOf(1) <= 64 ? Machine.AllocateRange("table.places", WordKind.Hardware, TableCount)
            : throw new ArgumentException("MovableTables: the machine keeps track of 64 leaf tables' places; use fewer levels or entries");
    }

    private static ulong HomeValue(int space, int basePage) => ((ulong)space << 32) | (uint)basePage;

    private ulong PlaceBit(int basePage) => 1UL << (basePage / SpanOf(1));

    /// <summary>A table was allocated for a place.</summary>
    internal void SetPlace(MachineState state, int table, AddressSpace space, int basePage)
    {
        state.Write(_tableHome + table, HomeValue(space.Index, basePage));
        if (Machine.Options.MovableTables)
        {
            state.Write(_tablePlaces + table, PlaceBit(basePage));
        }
    }

    internal void AddSetPlaceFootprint(Footprint footprint)
    {
        footprint.WriteRange(_tableHome, TableCount);
        if (Machine.Options.MovableTables)
        {
            footprint.WriteRange(_tablePlaces, TableCount);
        }
    }

    /// <summary>
    /// True if the table is the one that a walk in software found for a page range: it is, or was since it was allocated, hooked in there.
    /// </summary>
    internal bool IsTableOf(MachineState state, AddressSpace space, PageTable table)
    {
        (AddressSpace Space, int BasePage) home = HomeOf(state, table.Index);
        return LevelOf(state, table.Index) == table.Level && home.Space == space
            && (Machine.Options.MovableTables
                ? (state.Read(_tablePlaces + table.Index) & PlaceBit(table.BasePage)) != 0
                : home.BasePage == table.BasePage);
    }

    internal void AddTableOfFootprint(Footprint footprint, int table)
    {
        footprint.Read(_tableHome + table);
        footprint.Read(_tableLife + table);
        if (Machine.Options.MovableTables)
        {
            footprint.Read(_tablePlaces + table);
        }
    }

    private void AddPlaceFootprint(Footprint footprint)
    {
        AddSetPlaceFootprint(footprint);
        footprint.ReadRange(_tableLife, TableCount);
        footprint.ReadRange(_entries, TableCount * EntriesPerTable);
    }

    /// <summary>
    /// An entry reaches memory. Whoever reaches its table, from the root or from a cached pointer, at whatever place, may have cached the old
    /// value at that place. A table that is hooked in gets its place in the same instant, with all below it.
    /// </summary>
    private void CommitMovable(MachineState state, int address, in EntryChange change)
    {
        int span = SpanOf(change.Level + 1);
        for (int first = 0; first < PageCount; first += span)
        {
            Tlb.BeforeEntryChange(state, change with { Page = first + (change.Page % span) });
        }

        ReportLeaves(state, change, change.Old, appear: false);
        state.Write(address, change.New.Bits);
        if (change.Level > 0 && change.New.Present && !change.New.Huge)
        {
            MoveTo(state, change.New.Frame, change.Space.Index, change.Level - 1, change.Page);
        }

        Tlb.AfterEntryChange(state, change);
        ReportLeaves(state, change, change.New, appear: true);
        Report(state, change);
    }

    private void MoveTo(MachineState state, int table, int space, int level, int basePage)
    {
        state.Write(_tableHome + table, HomeValue(space, basePage));
        state.Write(_tablePlaces + table, state.Read(_tablePlaces + table) | PlaceBit(basePage));
        for (int index = 0; index < EntriesPerTable && level > 0; index++)
        {
            int page = basePage + (index * SpanOf(level));
            var entry = new Pte(state.Read(EntryAddress(table, level, page)));
            if (entry.Present && !entry.Huge)
            {
                MoveTo(state, entry.Frame, space, level - 1, page);
            }
        }
    }

    /// <summary>Properties see what a table maps go with it from the old place, and appear with it at the new one.</summary>
    private void ReportLeaves(MachineState state, in EntryChange change, Pte pointer, bool appear)
    {
        if (change.Level == 0 || !pointer.Present || pointer.Huge)
        {
            return;
        }

        for (int page = change.Page; page < change.Page + SpanOf(change.Level); page++)
        {
            Pte leaf = LeafBelow(state, pointer.Frame, change.Level - 1, page);
            if (leaf.Present)
            {
                ReportChange(state, change.Space, page, appear ? Pte.None : leaf, appear ? leaf : Pte.None);
            }
        }
    }

    /// <summary>The leaf that a walk from a table finds in memory; a huge one gives the small page's part.</summary>
    internal Pte LeafBelow(MachineState state, int table, int level, int page)
    {
        while (true)
        {
            var entry = new Pte(state.Read(EntryAddress(table, level, page)));
            if (level == 0 || !entry.Present || entry.Huge)
            {
                return entry.Huge ? entry.PartOfHuge(page % SpanOf(level)) : entry;
            }

            table = entry.Frame;
            level--;
        }
    }

    /// <summary>An entry goes from one table to another without being empty in between: nobody finds the first one any more.</summary>
    private static void JudgeLostTable(MachineState state, in EntryChange change)
    {
        if (change.Old.Present && change.New.Present && change.Old.Frame != change.New.Frame)
        {
            state.Violation ??= new Violation(
                "P-life", $"The entry of {AddressText(change.Page)} pointed to table {change.Old.Frame} and now points to table {change.New.Frame}: "
                    + "what the old one maps is lost, and nobody will free it.");
        }
    }
}
