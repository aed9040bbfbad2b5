using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The areas of an address space of real size (<c>mm->mm_mt</c>), as sorted ranges. Small machines keep them in one word (<see
/// cref="VmAreas"/>). State of the machine: changed under mmap_lock for writing only.
/// </summary>
public sealed class AreaTree(MachineModel machine) : MachineHandle(machine)
{
    private (int Start, int End, bool Read, bool Write)[] _areas = new (int Start, int End, bool Read, bool Write)[16];

    /// <summary>Number of areas.</summary>
    public int Count { get; private set; }

    /// <summary>An area, in order of addresses.</summary>
    public (int Start, int End, bool Read, bool Write) this[int index] => _areas[index];

    /// <summary>True if every page of the range is in an area.</summary>
    public bool Covers(int first, int end)
    {
        int at = FirstBehind(first);
        while (first < end && at < Count && _areas[at].Start <= first)
        {
            first = _areas[at++].End;
        }

        return first >= end;
    }

    /// <summary>The first part of the range that is in areas without a hole between them; empty if none is.</summary>
    public PageRange Part(int first, int end)
    {
        int at = FirstBehind(first);
        int start = at < Count ? Math.Clamp(_areas[at].Start, first, end) : end;
        int stop = start;
        while (stop < end && at < Count && _areas[at].Start <= stop)
        {
            stop = Math.Min(_areas[at++].End, end);
        }

        return PageRange.Of(start, stop - start);
    }

    /// <summary>True if any page of the range is in an area.</summary>
    public bool Touches(int first, int end)
    {
        int at = FirstBehind(first);
        return at < Count && _areas[at].Start < end;
    }

    /// <summary>True if the page's area allows the access.</summary>
    public bool Allows(int page, bool write)
    {
        int at = FirstBehind(page);
        return at < Count && _areas[at].Start <= page && (write ? _areas[at].Write : _areas[at].Read);
    }

    /// <summary>Makes the range an area of its own; what was there is replaced. Areas with equal rights are merged.</summary>
    public void Set(int first, int end, bool read, bool write)
    {
        Remove(first, end);
        int at = FirstBehind(first);
        if (at < Count && _areas[at].Start == end && _areas[at].Read == read && _areas[at].Write == write)
        {
            _areas[at].Start = first;
        }
        else
        {
            Insert(at, (first, end, read, write));
        }

        if (at > 0 && _areas[at - 1].End == first && _areas[at - 1].Read == read && _areas[at - 1].Write == write)
        {
            _areas[at - 1].End = _areas[at].End;
            Delete(at);
        }
    }

    /// <summary>Takes the range out of all areas.</summary>
    public void Remove(int first, int end)
    {
        int at = FirstBehind(first);
        while (at < Count && _areas[at].Start < end)
        {
            (int start, int stop, bool read, bool write) = _areas[at];
            if (start < first && stop > end)
            {
                _areas[at].End = first;
                Insert(at + 1, (end, stop, read, write));
                return;
            }

            if (start < first)
            {
                _areas[at++].End = first;
            }
            else if (stop > end)
            {
                _areas[at].Start = end;
                return;
            }
            else
            {
                Delete(at);
            }
        }
    }

    /// <summary>Changes the rights of what is mapped in the range.</summary>
    public void Protect(int first, int end, bool read, bool write)
    {
        while (first < end)
        {
            int at = FirstBehind(first);
            if (at == Count || _areas[at].Start >= end)
            {
                return;
            }

            int start = Math.Max(first, _areas[at].Start);
            int stop = Math.Min(end, _areas[at].End);
            Set(start, stop, read, write);
            first = stop;
        }
    }

    /// <summary>The same areas for a child process.</summary>
    public void CopyFrom(AreaTree other)
    {
        ArgumentNullException.ThrowIfNull(other);
        _areas = [.. other._areas];
        Count = other.Count;
    }

    /// <summary>Position of the first area that ends behind the page.</summary>
    private int FirstBehind(int page)
    {
        int low = 0;
        int high = Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
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

    private void Insert(int at, (int Start, int End, bool Read, bool Write) area)
    {
        if (Count == _areas.Length)
        {
            Array.Resize(ref _areas, Count * 2);
        }

        Array.Copy(_areas, at, _areas, at + 1, Count - at);
        _areas[at] = area;
        Count++;
    }

    private void Delete(int at)
    {
        Count--;
        Array.Copy(_areas, at + 1, _areas, at, Count - at);
    }
}
