namespace Shootdown.Measure;

/// <summary>
/// Which system call and which fault asks for which flush: the memory side of the rules, by kernel function. Knows no
/// CPUs. Pages are numbers of 4 KiB pages.
/// </summary>
internal sealed partial class MemoryRules(KernelProfile profile)
{
    private const int PageShift = 12;
    private const int MapShared = 1;
    private const int MapFixed = 0x10;
    private const int MapAnonymous = 0x20;
    private const int MapPopulate = 0x8000;
    private const int MremapDontUnmap = 4;

    private readonly List<FlushRequest> _requests = [];

    /// <summary>Kernel that is modelled.</summary>
    public KernelProfile Profile => profile;

    /// <summary>Advice of madvise that matters here.</summary>
    private enum Advice
    {
        DontNeed = 4, Free = 8, Remove = 9, Cold = 20, PageOut = 21, DontNeedLocked = 24,
    }

    /// <summary>The flushes of a system call that has returned, in order.</summary>
    /// <param name="mm">The caller's address space.</param>
    /// <param name="call">The call, with its arguments.</param>
    /// <param name="result">What it returned.</param>
    public IReadOnlyList<FlushRequest> Call(AddressSpace mm, in TraceEvent call, long result)
    {
        _requests.Clear();
        bool failed = result is < 0 and >= -4095;
        if (failed)
        {
            return _requests;
        }

        long first = call.A0 >>> PageShift;
        long end = first + PagesOf(call.A1);
        switch (call.Call)
        {
            case MemoryCall.Mmap:
                Map(mm, call, result >>> PageShift);
                break;
            case MemoryCall.Munmap:
                Unmap(mm, first, end);
                break;
            case MemoryCall.Brk:
                Brk(mm, call.A0, result);
                break;
            case MemoryCall.Mprotect or MemoryCall.PkeyMprotect:
                Protect(mm, first, end, (int)call.A2);
                break;
            case MemoryCall.Madvise:
                Advise(mm, first, end, (Advice)call.A2);
                break;
            case MemoryCall.Mremap:
                Remap(mm, call, result >>> PageShift);
                break;
            default:
                break;
        }

        return _requests;
    }

    /// <summary>
    /// mm/memory.c, <c>handle_pte_fault</c>: an entry that appears needs no flush. A write to a present entry needs one if the
    /// page is copied (<c>wp_page_copy</c>: <c>ptep_clear_flush</c>), and none if it is used as it is (<c>wp_page_reuse</c>).
    /// </summary>
    public IReadOnlyList<FlushRequest> Fault(AddressSpace mm, long address, long errorCode)
    {
        const int present = 1;
        const int write = 2;
        _requests.Clear();
        long page = address >>> PageShift;
        PageFlags old = mm.Pages[page];
        Area? area = mm.Areas.Find(page);
        bool isShared = area?.Kind == AreaKind.Shared;
        const PageFlags written = PageFlags.Present | PageFlags.Writable | PageFlags.Young;
        if ((errorCode & write) == 0)
        {
            // A fault on a page that is mapped already changes nothing that is known here.
            mm.Pages[page] = old != PageFlags.None ? old
                : PageFlags.Present | PageFlags.Young | (area?.Kind == AreaKind.Anonymous ? PageFlags.Zero : PageFlags.None);
            return _requests;
        }

        bool isSpurious = (old & PageFlags.Writable) != 0;
        bool isReused = isShared || ((old & PageFlags.Anonymous) != 0 && ((old & PageFlags.Shared) == 0 || mm.Family.Members <= 1));
        if ((errorCode & present) != 0 && !isSpurious && !isReused)
        {
            // A page of a file, of zeroes or of a forked parent. One that was never seen came with its neighbours
            // (do_fault_around), so it is a file's.
            _requests.Add(FlushRequest.OnePage);
        }

        mm.Pages[page] = isShared ? written : written | PageFlags.Anonymous;
        return _requests;
    }

    /// <summary>
    /// fs/exec.c, <c>setup_arg_pages</c>: the one stack page that exists gets its protection (<c>mprotect_fixup</c>) and is
    /// moved to its place (<c>shift_arg_pages</c>), which frees the tables of the old one: upper ones, so the flush is full.
    /// </summary>
    public IReadOnlyList<FlushRequest> Exec()
    {
        _requests.Clear();
        _requests.Add(FlushRequest.OnePage);
        _requests.Add(FlushRequest.All with { FreedTables = true });
        return _requests;
    }

    private static long PagesOf(long bytes) => (bytes + (1L << PageShift) - 1) >>> PageShift;

    /// <summary>mm/mmap.c, <c>mmap_region</c>: what was there is unmapped first.</summary>
    private void Map(AddressSpace mm, in TraceEvent call, long first)
    {
        long end = first + PagesOf(call.A1);
        if ((call.A3 & MapFixed) != 0)
        {
            Unmap(mm, first, end);
        }

        AreaKind kind = (call.A3 & 3 & MapShared) != 0 ? AreaKind.Shared
            : (call.A3 & MapAnonymous) != 0 ? AreaKind.Anonymous
            : AreaKind.PrivateFile;
        mm.Areas.Remove(first, end);
        mm.Areas.Add(new Area(first, end, (int)call.A2, kind));
        if ((call.A3 & MapPopulate) != 0 && kind == AreaKind.Anonymous && AreaList.IsWritable((int)call.A2))
        {
            for (long page = first; page < end; page++)
            {
                mm.Pages[page] = PageFlags.Present | PageFlags.Writable | PageFlags.Anonymous | PageFlags.Young;
            }
        }
    }

    /// <summary>
    /// mm/mmap.c, <c>unmap_region</c>: one gather for the pages (<c>unmap_vmas</c>) and for the tables that nothing else
    /// needs (<c>free_pgtables</c>). A dirty page of a shared file is flushed before its table's lock is released
    /// (<c>zap_pte_range</c>, <c>force_flush</c>).
    /// </summary>
    private void Unmap(AddressSpace mm, long first, long end)
    {
        if (end <= first)
        {
            return;
        }

        var gather = new GatherRule(_requests);
        Zap(mm, first, end, gather);
        mm.Areas.Remove(first, end);
        foreach ((long table, PageFlags[] _, int _, int _) in mm.Pages.TablesOf(first, end))
        {
            long start = table * PageMap.TablePages;
            if (!mm.Areas.Intersects(start, start + PageMap.TablePages) && !mm.Pages.MapsOutside(table, first, end))
            {
                mm.Pages.FreeTable(table);
                gather.FreeTable(start);
            }
        }

        FreeUppers(mm, first, end, gather);
        gather.Flush();
    }

    /// <summary>
    /// mm/memory.c, <c>free_pmd_range</c> and <c>free_pud_range</c>: an upper table is reported at the beginning of its span
    /// (<c>start &amp;= PUD_MASK</c>), so the range may become large and the flush full.
    /// </summary>
    private static void FreeUppers(AddressSpace mm, long first, long end, GatherRule gather)
    {
        for (int level = 0; level < mm.Pages.UpperLevels; level++)
        {
            long span = PageMap.UpperSpan(level);
            foreach (long upper in mm.Pages.EmptyUppersOf(level, first, end))
            {
                if (!mm.Areas.Intersects(upper * span, (upper + 1) * span))
                {
                    mm.Pages.FreeUpper(level, upper);
                    gather.FreeTable(upper * span);
                }
            }
        }
    }

    private static void Zap(AddressSpace mm, long first, long end, GatherRule gather)
    {
        foreach ((long table, PageFlags[] pages, int from, int to) in mm.Pages.TablesOf(first, end))
        {
            bool forceFlush = false;
            for (int i = from; i < to; i++)
            {
                PageFlags old = pages[i];
                if (old == PageFlags.None)
                {
                    continue;
                }

                long page = table * PageMap.TablePages + i;
                pages[i] = PageFlags.None;
                bool isSharedFile = mm.Areas.Find(page)?.Kind == AreaKind.Shared;
                forceFlush |= isSharedFile && (old & PageFlags.Writable) != 0;
                gather.RemovePage(page, (old & PageFlags.Zero) == 0);
            }

            if (forceFlush)
            {
                gather.Flush();
            }
        }
    }

    /// <summary>mm/mmap.c, <c>brk</c>: a lower end unmaps what is above it.</summary>
    private void Brk(AddressSpace mm, long asked, long result)
    {
        long old = mm.Break;
        mm.Break = result;
        if (asked == 0 || asked != result || old == 0)
        {
            return;
        }

        long oldEnd = PagesOf(old);
        long newEnd = PagesOf(result);
        if (newEnd < oldEnd)
        {
            Unmap(mm, newEnd, oldEnd);
        }
        else
        {
            mm.Areas.Add(new Area(oldEnd, newEnd, 3, AreaKind.Anonymous));
        }
    }
}
