namespace Shootdown.Measure;

/// <summary>What an area was told about huge pages (VM_HUGEPAGE, VM_NOHUGEPAGE).</summary>
internal enum HugePageAdvice : byte
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>MADV_HUGEPAGE.</summary>
    Wanted,

    /// <summary>MADV_NOHUGEPAGE.</summary>
    Unwanted,
}

/// <summary>A mapped range of pages (vm_area_struct).</summary>
internal readonly record struct Area(long First, long End, int Protection, AreaKind Kind, HugePageAdvice HugePages = HugePageAdvice.None);

/// <summary>Areas of an address space as calls have made them, in order, without overlap. What was mapped before the trace began is not here.</summary>
internal sealed class AreaList
{
    private const int WriteBit = 2;
    private const int AnyAccess = 7;
    private readonly List<Area> _areas = [];

    /// <summary>The area of a page; null if it is not known.</summary>
    public Area? Find(long page)
    {
        int index = FirstBehind(page);
        return index < _areas.Count && _areas[index].First <= page ? _areas[index] : null;
    }

    /// <summary>True if an area has a page of the range.</summary>
    public bool Intersects(long first, long end)
    {
        int index = FirstBehind(first);
        return index < _areas.Count && _areas[index].First < end;
    }

    /// <summary>What of the areas lies in a range.</summary>
    public IEnumerable<Area> Within(long first, long end)
    {
        for (int at = FirstBehind(first); at < _areas.Count && _areas[at].First < end; at++)
        {
            yield return _areas[at] with { First = Math.Max(first, _areas[at].First), End = Math.Min(end, _areas[at].End) };
        }
    }

    /// <summary>Maps an area where nothing is mapped; neighbours of the same kind and rights become one with it.</summary>
    public void Add(Area area)
    {
        if (area.End <= area.First)
        {
            return;
        }

        int at = FirstBehind(area.First);
        if (at < _areas.Count && _areas[at] == area with { First = area.End, End = _areas[at].End })
        {
            area = area with { End = _areas[at].End };
            _areas.RemoveAt(at);
        }

        if (at > 0 && _areas[at - 1] == area with { First = _areas[at - 1].First, End = area.First })
        {
            _areas[at - 1] = _areas[at - 1] with { End = area.End };
            return;
        }

        _areas.Insert(at, area);
    }

    /// <summary>Unmaps a range; areas that stick out of it are cut. Returns what was unmapped.</summary>
    public IReadOnlyList<Area> Remove(long first, long end)
    {
        var removed = new List<Area>();
        int index = FirstBehind(first);
        while (index < _areas.Count && _areas[index].First < end)
        {
            Area area = _areas[index];
            _areas.RemoveAt(index);
            removed.Add(area with { First = Math.Max(first, area.First), End = Math.Min(end, area.End) });
            if (area.First < first)
            {
                _areas.Insert(index++, area with { End = first });
            }

            if (area.End > end)
            {
                _areas.Insert(index, area with { First = end });
            }
        }

        return removed;
    }

    /// <summary>madvise(MADV_HUGEPAGE or MADV_NOHUGEPAGE) of a range.</summary>
    public void Advise(long first, long end, HugePageAdvice advice)
    {
        foreach (Area area in Within(first, end).Where(area => area.HugePages != advice).ToArray())
        {
            Remove(area.First, area.End);
            Add(area with { HugePages = advice });
        }
    }

    /// <summary>A copy, for fork.</summary>
    public AreaList Copy()
    {
        var copy = new AreaList();
        copy._areas.AddRange(_areas);
        return copy;
    }

    /// <summary>True if the protection allows writes.</summary>
    public static bool IsWritable(int protection) => (protection & WriteBit) != 0;

    /// <summary>True if the protection allows any access.</summary>
    public static bool IsAccessible(int protection) => (protection & AnyAccess) != 0;

    /// <summary>Index of the first area that ends behind the page.</summary>
    private int FirstBehind(long page)
    {
        int low = 0;
        int high = _areas.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_areas[middle].End > page)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return low;
    }
}
