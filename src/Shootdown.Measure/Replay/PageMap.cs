namespace Shootdown.Measure;

/// <summary>What is known of a page of an address space.</summary>
[Flags]
internal enum PageFlags : byte
{
    /// <summary>Not mapped.</summary>
    None = 0,

    /// <summary>Mapped.</summary>
    Present = 1,

    /// <summary>The entry allows writes.</summary>
    Writable = 2,

    /// <summary>Anonymous memory that nobody else maps.</summary>
    Anonymous = 4,

    /// <summary>Anonymous memory that a fork has shared.</summary>
    Shared = 8,

    /// <summary>The shared page of zeroes.</summary>
    Zero = 16,

    /// <summary>Used since it was aged: accessed or dirty.</summary>
    Young = 32,

    /// <summary>Mapped by an entry with PROT_NONE.</summary>
    NoAccess = 64,
}

/// <summary>
/// Pages that an address space maps and the tables that hold them, as faults and calls show. Memory grows with what is
/// mapped, not with the length of the trace.
/// </summary>
internal sealed class PageMap
{
    /// <summary>Pages of a table.</summary>
    public const int TablePages = 512;

    private readonly Dictionary<long, PageFlags[]> _tables = [];

    /// <summary>Tables of the level above that exist, by GiB, with how many tables each holds.</summary>
    private readonly Dictionary<long, int> _middles = [];

    /// <summary>A page; writing creates its table.</summary>
    public PageFlags this[long page]
    {
        get => _tables.TryGetValue(page / TablePages, out PageFlags[]? table) ? table[page % TablePages] : PageFlags.None;
        set
        {
            if (!_tables.TryGetValue(page / TablePages, out PageFlags[]? table))
            {
                table = new PageFlags[TablePages];
                _tables.Add(page / TablePages, table);
                CountInMiddle(page / TablePages, 1);
            }

            table[page % TablePages] = value;
        }
    }

    /// <summary>Tables that have pages of the range, in order: their number, and the pages within the range.</summary>
    public IEnumerable<(long Table, PageFlags[] Pages, int First, int End)> TablesOf(long first, long end)
    {
        long firstTable = first / TablePages;
        long lastTable = (end - 1) / TablePages;
        IEnumerable<long> numbers = lastTable - firstTable < _tables.Count
            ? Enumerable.Range(0, (int)(lastTable - firstTable + 1)).Select(i => firstTable + i)
            : _tables.Keys.Where(table => table >= firstTable && table <= lastTable).Order();
        foreach (long number in numbers.ToArray())
        {
            if (_tables.TryGetValue(number, out PageFlags[]? pages))
            {
                long start = number * TablePages;
                yield return (number, pages, (int)Math.Max(0, first - start), (int)Math.Min(TablePages, end - start));
            }
        }
    }

    /// <summary>True if the table maps a page outside of the range.</summary>
    public bool MapsOutside(long table, long first, long end)
    {
        PageFlags[] pages = _tables[table];
        for (int i = 0; i < TablePages; i++)
        {
            long page = table * TablePages + i;
            if (pages[i] != PageFlags.None && (page < first || page >= end))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Frees a table.</summary>
    public void FreeTable(long table)
    {
        _tables.Remove(table);
        CountInMiddle(table, -1);
    }

    /// <summary>Tables of the middle level (one GiB each) within the range that hold no lower table any more.</summary>
    public IEnumerable<long> EmptyMiddlesOf(long first, long end)
    {
        const long span = (long)TablePages * TablePages;
        return _middles.Where(pair => pair.Value == 0 && pair.Key >= first / span && pair.Key <= (end - 1) / span)
            .Select(pair => pair.Key).Order().ToArray();
    }

    /// <summary>Frees a table of the middle level.</summary>
    public void FreeMiddle(long middle) => _middles.Remove(middle);

    /// <summary>Moves a whole table to another place.</summary>
    public void MoveTable(long from, long to)
    {
        if (_tables.Remove(from, out PageFlags[]? pages))
        {
            CountInMiddle(from, -1);
            CountInMiddle(to, _tables.ContainsKey(to) ? 0 : 1);
            _tables[to] = pages;
        }
    }

    /// <summary>All tables.</summary>
    public IEnumerable<PageFlags[]> Tables => _tables.Values;

    /// <summary>A copy, for fork.</summary>
    public PageMap Copy()
    {
        var copy = new PageMap();
        foreach ((long number, PageFlags[] pages) in _tables)
        {
            copy._tables.Add(number, [.. pages]);
        }

        foreach ((long middle, int count) in _middles)
        {
            copy._middles.Add(middle, count);
        }

        return copy;
    }

    private void CountInMiddle(long table, int change)
        => _middles[table / TablePages] = _middles.GetValueOrDefault(table / TablePages) + change;
}
