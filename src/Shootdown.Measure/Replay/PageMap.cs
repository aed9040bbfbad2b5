using System.Runtime.InteropServices;

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

    /// <summary>Upper tables that exist, with how many tables each holds: of one GiB (<c>pmd</c>), of 512 GiB (<c>pud</c>).</summary>
    private readonly Dictionary<long, int>[] _uppers = [[], []];

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
                CountInUpper(0, page / TablePages, 1);
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
        CountInUpper(0, table, -1);
    }

    /// <summary>Levels of tables above the lowest one that can be freed.</summary>
    public int UpperLevels => _uppers.Length;

    /// <summary>Pages that a table of an upper level spans.</summary>
    public static long UpperSpan(int level) => level == 0 ? (long)TablePages * TablePages : (long)TablePages * TablePages * TablePages;

    /// <summary>Upper tables within the range that hold no lower table any more.</summary>
    public IReadOnlyList<long> EmptyUppersOf(int level, long first, long end)
    {
        long span = UpperSpan(level);
        List<long> empty = [];
        foreach ((long upper, int count) in _uppers[level])
        {
            if (count == 0 && upper >= first / span && upper <= (end - 1) / span)
            {
                empty.Add(upper);
            }
        }

        empty.Sort();
        return empty;
    }

    /// <summary>Frees an upper table.</summary>
    public void FreeUpper(int level, long upper)
    {
        _uppers[level].Remove(upper);
        if (level + 1 < UpperLevels)
        {
            CountInUpper(level + 1, upper, -1);
        }
    }

    /// <summary>Moves a whole table to another place.</summary>
    public void MoveTable(long from, long to)
    {
        if (_tables.Remove(from, out PageFlags[]? pages))
        {
            CountInUpper(0, from, -1);
            CountInUpper(0, to, _tables.ContainsKey(to) ? 0 : 1);
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

        for (int level = 0; level < UpperLevels; level++)
        {
            foreach ((long upper, int count) in _uppers[level])
            {
                copy._uppers[level].Add(upper, count);
            }
        }

        return copy;
    }

    private void CountInUpper(int level, long lower, int change)
    {
        ref int count = ref CollectionsMarshal.GetValueRefOrAddDefault(_uppers[level], lower / TablePages, out bool exists);
        count += change;
        if (!exists && level + 1 < UpperLevels)
        {
            CountInUpper(level + 1, lower / TablePages, 1);
        }
    }
}
