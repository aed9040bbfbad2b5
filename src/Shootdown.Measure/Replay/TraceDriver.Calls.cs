namespace Shootdown.Measure;

/// <content>System calls that have returned.</content>
internal sealed partial class TraceDriver
{
    private const int MapShared = 1;
    private const int MapFixed = 0x10;
    private const int MapAnonymous = 0x20;
    private const int MapLocked = 0x2000;
    private const int MapPopulate = 0x8000;
    private const int MapNonblock = 0x10000;
    private const int MapStack = 0x20000;
    private const int ReadWrite = 3;
    private const int ExecuteBit = 4;

    private void Call(in ReplayPoint at, TracedProcess process, in TraceEvent call, long result)
    {
        if (result is < 0 and >= -4095)
        {
            return;
        }

        // Whoever is in a call runs there, also where the trace has lost the switch to it.
        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.SwitchTo(at, process.Id);
        }

        long first = call.A0 >>> PageShift;
        long end = first + PagesOf(call.A1);
        switch (call.Call)
        {
            case MemoryCall.Mmap:
                Map(at, process, call, result >>> PageShift);
                _tasks.Know(process);
                break;
            case MemoryCall.Munmap:
                Unmap(at, process, first, end);
                break;
            case MemoryCall.Brk:
                Brk(at, process, call.A0, result);
                _tasks.Know(process);
                break;
            case MemoryCall.Mprotect or MemoryCall.PkeyMprotect:
                Protect(at, process, first, end, (int)call.A2);
                break;
            case MemoryCall.Madvise:
                Advise(at, process, first, end, (Advice)call.A2);
                break;
            case MemoryCall.Mremap:
                Remap(at, process, call, result >>> PageShift);
                _tasks.Know(process);
                break;
            default:
                break;
        }
    }

    private static long PagesOf(long bytes) => (bytes + (1L << PageShift) - 1) >>> PageShift;

    private void Map(in ReplayPoint at, TracedProcess process, in TraceEvent call, long first)
    {
        long end = first + PagesOf(call.A1);
        bool isAnonymous = (call.A3 & MapAnonymous) != 0;
        AreaKind kind = (call.A3 & MapShared) != 0 ? isAnonymous ? AreaKind.SharedMemory : AreaKind.Shared
            : isAnonymous ? AreaKind.Anonymous
            : AreaKind.PrivateFile;
        if ((call.A3 & MapFixed) == 0 && process.Areas.Intersects(first, end))
        {
            // The kernel found it free: something was unmapped unseen.
            Unmap(at with { IsSelected = false }, process, first, end);
        }

        process.Areas.Remove(first, end);
        bool isStack = (call.A3 & MapStack) != 0 && !StacksMayBeHuge;
        process.Areas.Add(new Area(first, end, (int)call.A2, kind, isStack ? HugePageAdvice.Unwanted : HugePageAdvice.None));
        int place = process.Places.RangeOf(first, end);
        if (place < 0)
        {
            NoteNotModelled("mmap of scattered addresses");
            return;
        }

        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.Map(at, process.Id, place, (int)(end - first), (int)call.A2);
            if (((call.A3 & (MapPopulate | MapNonblock)) == MapPopulate || (call.A3 & MapLocked) != 0) && AreaList.IsAccessible((int)call.A2))
            {
                bool write = AreaList.IsWritable((int)call.A2) && kind is not (AreaKind.Shared or AreaKind.SharedMemory);
                kernel.Populate(at, process.Id, place, PopulatedPages(end - first), write, kind);
            }
        }
    }

    private void Unmap(in ReplayPoint at, TracedProcess process, long first, long end)
    {
        process.Areas.Remove(first, end);
        UnmapPlace(at, process, first, end);
        process.Places.Release(first, end, process.Areas);
    }

    private void UnmapPlace(in ReplayPoint at, TracedProcess process, long first, long end)
    {
        int place = process.Places.RangeOf(first, end);
        if (place < 0)
        {
            NoteNotModelled("munmap of scattered addresses");
            return;
        }

        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.Unmap(at, process.Id, place, (int)(end - first));
        }
    }

    /// <summary>mm/mmap.c, <c>brk</c>: a lower end unmaps what is above it.</summary>
    private void Brk(in ReplayPoint at, TracedProcess process, long asked, long result)
    {
        long old = process.Break;
        process.Break = result;
        if (old == 0 && asked == 0 && !_seesExec)
        {
            // A program asks for its heap once, when it starts: it was executed within the trace.
            foreach (ReplayedKernel kernel in _kernels)
            {
                kernel.SetUpArgPages(at, process.Id);
            }
        }

        if (asked == 0 || asked != result || old == 0)
        {
            return;
        }

        long oldEnd = PagesOf(old);
        long newEnd = PagesOf(result);
        if (newEnd < oldEnd)
        {
            Unmap(at, process, newEnd, oldEnd);
        }
        else if (newEnd > oldEnd)
        {
            Grow(at, process, oldEnd, newEnd, ReadWrite, AreaKind.Anonymous);
        }
    }

    /// <summary>An area becomes larger, or a new one appears where nothing is mapped.</summary>
    private void Grow(in ReplayPoint at, TracedProcess process, long first, long end, int protection, AreaKind kind)
    {
        process.Areas.Remove(first, end);
        process.Areas.Add(new Area(first, end, protection, kind));
        int place = process.Places.RangeOf(first, end);
        if (place < 0)
        {
            NoteNotModelled("mapping of scattered addresses");
            return;
        }

        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.Map(at, process.Id, place, (int)(end - first), protection);
        }
    }

    /// <summary>mm/mprotect.c, <c>do_mprotect_pkey</c>: one gather for all areas of the range.</summary>
    private void Protect(in ReplayPoint at, TracedProcess process, long first, long end, int protection)
    {
        IReadOnlyList<Area> areas = process.Areas.Remove(first, end);
        long known = 0;
        bool changes = false;
        bool changesExecute = false;
        foreach (Area area in areas)
        {
            process.Areas.Add(area with { Protection = protection });
            known += area.End - area.First;
            changes |= area.Protection != protection;
            changesExecute |= ((area.Protection ^ protection) & ExecuteBit) != 0 && AreaList.IsAccessible(area.Protection);
        }

        if (changes || known < end - first)
        {
            Protect(at, process, first, end, protection, changesExecute);
        }
    }

    private void Protect(in ReplayPoint at, TracedProcess process, long first, long end, int protection, bool changesExecute)
    {
        int place = process.Places.RangeOf(first, end);
        if (place < 0)
        {
            NoteNotModelled("mprotect of scattered addresses");
            return;
        }

        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.Protect(at, process.Id, place, (int)(end - first), protection, changesExecute);
        }
    }

    private void Advise(in ReplayPoint at, TracedProcess process, long first, long end, Advice advice)
    {
        int place = process.Places.RangeOf(first, end);
        if (advice is Advice.Remove or Advice.Collapse)
        {
            NoteNotModelled($"madvise({advice.ToString().ToUpperInvariant()})");
            return;
        }

        if (advice is Advice.HugePage or Advice.NoHugePage)
        {
            process.Areas.Advise(first, end, advice == Advice.HugePage ? HugePageAdvice.Wanted : HugePageAdvice.Unwanted);
            return;
        }

        if (advice is Advice.PopulateRead or Advice.PopulateWrite)
        {
            Populate(at, process, first, end, advice == Advice.PopulateWrite);
            return;
        }

        if (advice is not (Advice.DontNeed or Advice.DontNeedLocked or Advice.Free or Advice.Cold or Advice.PageOut))
        {
            return;
        }

        if (advice == Advice.PageOut && !HasSwap)
        {
            return;
        }

        if (place < 0)
        {
            NoteNotModelled("madvise of scattered addresses");
            return;
        }

        foreach (ReplayedKernel kernel in _kernels)
        {
            // It succeeded: all of it is mapped.
            kernel.Know(process.Id, place, (int)(end - first), write: false);
            kernel.Advise(at, process.Id, place, (int)(end - first), advice);
        }
    }

    /// <summary>A call that maps more than 1 GiB at once is carried out for the first: memory must not grow with a number in a trace.</summary>
    private int PopulatedPages(long pages)
    {
        const int most = 1 << 18;
        if (pages > most)
        {
            NoteNotModelled("populate of more than 1 GiB");
        }

        return (int)Math.Min(pages, most);
    }

    /// <summary>mm/madvise.c, <c>madvise_populate</c>. Only of known areas: what maps the others is not in the trace.</summary>
    private void Populate(in ReplayPoint at, TracedProcess process, long first, long end, bool write)
    {
        int place = process.Places.RangeOf(first, end);
        foreach (Area area in process.Areas.Within(first, end))
        {
            foreach (ReplayedKernel kernel in place < 0 ? [] : _kernels)
            {
                kernel.Populate(at, process.Id, place + (int)(area.First - first), PopulatedPages(area.End - area.First), write, area.Kind);
            }
        }
    }

    /// <summary>mm/mremap.c, <c>mremap_to</c> and <c>move_vma</c>: what is at the new place goes, entries move, the old place is unmapped.</summary>
    private void Remap(in ReplayPoint at, TracedProcess process, in TraceEvent call, long to)
    {
        const int fixedPlace = 2;
        const int dontUnmap = 4;
        long from = call.A0 >>> PageShift;
        long oldPages = PagesOf(call.A1);
        long newPages = PagesOf(call.A2);
        if ((call.A3 & fixedPlace) != 0)
        {
            Unmap(at, process, to, to + newPages);
        }

        if (newPages < oldPages)
        {
            Unmap(at, process, from + newPages, from + oldPages);
            oldPages = newPages;
        }

        Area area = process.Areas.Find(from) ?? new Area(from, from + oldPages, ReadWrite, AreaKind.Anonymous);
        if (to == from)
        {
            if (newPages > oldPages)
            {
                Grow(at, process, from + oldPages, from + newPages, area.Protection, area.Kind);
            }

            return;
        }

        bool keeps = (call.A3 & dontUnmap) != 0;
        int fromPlace = process.Places.RangeOf(from, from + oldPages);
        int toPlace = process.Places.RangeOf(to, to + newPages);
        if (fromPlace < 0 || toPlace < 0)
        {
            NoteNotModelled("mremap of scattered addresses");
            return;
        }

        if (!keeps)
        {
            process.Areas.Remove(from, from + oldPages);
        }

        process.Areas.Remove(to, to + newPages);
        process.Areas.Add(area with { First = to, End = to + newPages });
        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.Know(process.Id, fromPlace, (int)oldPages, AreaList.IsWritable(area.Protection));
            kernel.Move(at, process.Id, fromPlace, (int)oldPages, toPlace, keeps);
            if (newPages > oldPages)
            {
                kernel.Map(at, process.Id, toPlace + (int)oldPages, (int)(newPages - oldPages), area.Protection);
            }
        }
    }
}
