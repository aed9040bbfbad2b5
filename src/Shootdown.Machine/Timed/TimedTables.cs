using System.Numerics;
using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// Page tables and frames of a timed machine: tables are arrays that are used again, frames are numbers from a stack of free
/// ones, so that what was freed last is used first.
/// </summary>
public sealed class TimedTables
{
    private const int HugeOrder = 9;
    private readonly FrameTable _frames;
    private readonly int _shift;
    private readonly int _mask;
    private readonly int _levels;
    private readonly int _frameLimit;
    private ulong[][] _tables = new ulong[64][];
    private (int Space, int Level, int BasePage)[] _homes = new (int Space, int Level, int BasePage)[64];
    private int[] _freeTables = new int[64];
    private int _freeTableCount;
    private int _tableCount;
    private int[] _freeFrames = new int[1024];
    private int _freeFrameCount;
    private readonly Stack<int> _freeHuge = new();
    private int _frameCount = 1;
    private readonly Dictionary<int, List<ulong>> _morePlaces = [];

    internal TimedTables(MachineModel machine, TimedMemory memory)
    {
        MachineOptions options = machine.Options;
        _frames = memory.Frames;
        _levels = options.Levels;
        _shift = BitOperations.Log2((uint)options.EntriesPerTable);
        _mask = options.EntriesPerTable - 1;
        _frameLimit = options.Frames;
        if (!BitOperations.IsPow2(options.EntriesPerTable))
        {
            throw new ArgumentException("a timed machine needs a power of two as entries per table", nameof(machine));
        }
    }

    /// <summary>Frames in use.</summary>
    public int FramesInUse => _frameCount - 1 - _freeFrameCount - (_freeHuge.Count << HugeOrder);

    /// <summary>Page tables in use, roots included.</summary>
    public int TablesInUse => _tableCount - _freeTableCount;

    /// <summary>True if the frame is allocated, or given up and not handed out again yet.</summary>
    public bool IsLive(int frame) => _frames.RefCount(frame) != 0 || _frames.Read(frame, FrameSlot.Held) != 0;

    /// <summary>An entry.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Entry(PageTable table, int page) => _tables[table.Index][(page >> (_shift * table.Level)) & _mask];

    /// <summary>An entry of a table by its number.</summary>
    internal ref ulong EntryOf(int table, int level, int page) => ref _tables[table][(page >> (_shift * level)) & _mask];

    internal int AllocTable(AddressSpace? space, int level, int page, int spaceIndex = -1)
    {
        int table;
        if (_freeTableCount > 0)
        {
            table = _freeTables[--_freeTableCount];
        }
        else
        {
            table = _tableCount++;
            if (table == _tables.Length)
            {
                Array.Resize(ref _tables, table * 2);
                Array.Resize(ref _homes, table * 2);
            }

            _tables[table] = new ulong[_mask + 1];
        }

        int shift = Math.Min(31, _shift * (level + 1));
        _homes[table] = (space?.Index ?? spaceIndex, level, shift >= 31 ? 0 : page >> shift << shift);
        return table;
    }

    internal void FreeTable(int table)
    {
        if (_homes[table].Level < 0)
        {
            throw new ProcRuleException($"page table {table} is freed twice: the kernel code that runs is wrong, see 'check'");
        }

        _homes[table] = (-1, -1, 0);
        Array.Clear(_tables[table]);
        if (_freeTableCount == _freeTables.Length)
        {
            Array.Resize(ref _freeTables, _freeTableCount * 2);
        }

        _freeTables[_freeTableCount++] = table;
    }

    internal void Set(PageTable table, int page, Pte value)
    {
        _tables[table.Index][(page >> (_shift * table.Level)) & _mask] = value.Bits;
        if (table.Level == 0 && value.MapsFrame)
        {
            NotePlace(value.Frame, ((ulong)(_homes[table.Index].Space + 1) << 32) | (uint)page);
        }
        else if (table.Level == 1 && value.Present && !value.Huge)
        {
            NoteMoved(value.Frame, page >> _shift << _shift);
        }
    }

    /// <summary>
    /// Where a frame may be mapped: address space number and page. May name places where it is not any more, never misses
    /// one.
    /// </summary>
    public void PlacesOf(int frame, List<(int Space, int Page)> places)
    {
        ArgumentNullException.ThrowIfNull(places);
        places.Clear();
        ulong first = _frames.Read(frame, FrameSlot.Place);
        if (first != 0)
        {
            places.Add(((int)(first >> 32) - 1, (int)(uint)first));
        }

        if (_morePlaces.TryGetValue(frame, out List<ulong>? more))
        {
            foreach (ulong place in more)
            {
                places.Add(((int)(place >> 32) - 1, (int)(uint)place));
            }
        }
    }

    /// <summary>Takes a free frame, with one reference; -1 if there is none.</summary>
    public int AllocFrame()
    {
        int frame;
        if (_freeFrameCount > 0)
        {
            frame = _freeFrames[--_freeFrameCount];
        }
        else if (_frameCount <= _frameLimit)
        {
            frame = _frameCount++;
            _frames.Need(_frameCount);
        }
        else
        {
            return -1;
        }

        _frames.RefCount(frame) = 1;
        return frame;
    }

    /// <summary>Takes the frames of a huge page, aligned, each with one reference; -1 if there are none.</summary>
    public int AllocHuge()
    {
        int span = 1 << HugeOrder;
        if (!_freeHuge.TryPop(out int first))
        {
            first = (_frameCount + span - 1) & -span;
            if (first + span > _frameLimit)
            {
                return -1;
            }

            _frames.Need(first + span);
            for (int frame = _frameCount; frame < first; frame++)
            {
                PushFree(frame);
            }

            _frameCount = first + span;
        }

        for (int frame = first; frame < first + span; frame++)
        {
            _frames.RefCount(frame) = 1;
        }

        _frames.Write(first, FrameSlot.Order, HugeOrder);
        return first;
    }

    /// <summary>The frames of a huge page are frames of their own from now on.</summary>
    public void SplitHuge(int frame) => _frames.Write(frame, FrameSlot.Order, 0);

    /// <summary>Drops a reference; true if the frame was freed.</summary>
    internal bool Put(int frame)
    {
        ref uint count = ref _frames.RefCount(frame);
        if (count == 0)
        {
            throw new ProcRuleException($"frame {frame} is freed twice: the kernel code that runs is wrong, see 'check'");
        }

        if (--count != 0)
        {
            return false;
        }

        FreeFrame(frame);
        return true;
    }

    internal void FreeFrame(int frame)
    {
        if (_morePlaces.Count > 0)
        {
            _morePlaces.Remove(frame);
        }

        if (_frames.Read(frame, FrameSlot.Order) != 0)
        {
            int span = 1 << HugeOrder;
            for (int i = 0; i < span; i++)
            {
                _frames.Clear(frame + i);
            }

            _freeHuge.Push(frame);
            return;
        }

        _frames.Clear(frame);
        PushFree(frame);
    }

    /// <summary>Hardware sets the accessed and dirty bits of an entry.</summary>
    public void SetHardwareBits(int table, int level, int page, Pte leaf)
        => EntryOf(table, level, page) |= leaf.Bits & (Pte.AccessedBit | Pte.DirtyBit);

    /// <summary>The leaf that a hardware walk of an address space finds for a page, and where it stands.</summary>
    /// <param name="root">The top-level table.</param>
    /// <param name="page">The page.</param>
    /// <param name="table">The table that holds the leaf, or the empty entry.</param>
    /// <param name="level">Its level: 0, or 1 for a huge page.</param>
    public Pte Walk(int root, int page, out int table, out int level)
    {
        table = root;
        level = _levels - 1;
        while (true)
        {
            var entry = new Pte(EntryOf(table, level, page));
            if (level == 0 || !entry.Present || entry.Huge)
            {
                return entry;
            }

            table = entry.Frame;
            level--;
        }
    }

    private void NotePlace(int frame, ulong place)
    {
        ulong first = _frames.Read(frame, FrameSlot.Place);
        if (first == 0)
        {
            _frames.Write(frame, FrameSlot.Place, place);
        }
        else if (first != place)
        {
            if (!_morePlaces.TryGetValue(frame, out List<ulong>? more))
            {
                _morePlaces.Add(frame, more = []);
            }

            if (!more.Contains(place))
            {
                more.Add(place);
            }
        }
    }

    /// <summary>A whole table may have been hooked in at another place: what it maps is there now.</summary>
    private void NoteMoved(int table, int basePage)
    {
        (int space, int level, int before) = _homes[table];
        if (before == basePage)
        {
            return;
        }

        _homes[table] = (space, level, basePage);
        for (int i = 0; i <= _mask; i++)
        {
            var entry = new Pte(_tables[table][i]);
            if (entry.MapsFrame)
            {
                NotePlace(entry.Frame, ((ulong)(space + 1) << 32) | (uint)(basePage + i));
            }
        }
    }

    private void PushFree(int frame)
    {
        if (_freeFrameCount == _freeFrames.Length)
        {
            Array.Resize(ref _freeFrames, _freeFrameCount * 2);
        }

        _freeFrames[_freeFrameCount++] = frame;
    }
}
