namespace Shootdown.Measure;

/// <content>Calls that change or age entries without unmapping: mprotect, madvise.</content>
internal sealed partial class MemoryRules
{
    /// <summary>
    /// mm/mprotect.c, <c>change_protection</c>: one gather. An entry is in it if hardware may hold more or other rights than
    /// the new ones (arch/x86/include/asm/tlbflush.h, <c>pte_needs_flush</c>): a change of the write bit counts, a page that
    /// was not accessible does not.
    /// </summary>
    private void Protect(AddressSpace mm, long first, long end, int protection)
    {
        const int execute = 4;
        var gather = new GatherRule(_requests);
        IReadOnlyList<Area> removed = mm.Areas.Remove(first, end);
        foreach (Area area in removed)
        {
            mm.Areas.Add(area with { Protection = protection });
        }

        foreach ((long table, PageFlags[] pages, int from, int to) in mm.Pages.TablesOf(first, end))
        {
            for (int i = from; i < to; i++)
            {
                long page = table * PageMap.TablePages + i;
                Area? before = Before(removed, page);
                if (pages[i] == PageFlags.None || before?.Protection == protection)
                {
                    continue;
                }

                PageFlags changed = Protected(pages[i], protection, before?.Kind == AreaKind.Shared);
                bool executeChanges = before is { } was && ((was.Protection ^ protection) & execute) != 0;
                bool wasAccessible = (pages[i] & PageFlags.NoAccess) == 0;
                if (wasAccessible && (changed != pages[i] || executeChanges))
                {
                    gather.RemovePage(page, queuesPage: false);
                }

                pages[i] = changed;
            }
        }

        gather.Flush();
    }

    private static Area? Before(IReadOnlyList<Area> areas, long page)
    {
        foreach (Area area in areas)
        {
            if (page >= area.First && page < area.End)
            {
                return area;
            }
        }

        return null;
    }

    /// <summary>mm/mprotect.c, <c>can_change_pte_writable</c>: memory of one's own becomes writable at once.</summary>
    private static PageFlags Protected(PageFlags old, int protection, bool isShared)
    {
        const int anyAccess = 7;
        PageFlags changed = old & ~(PageFlags.Writable | PageFlags.NoAccess);
        if ((protection & anyAccess) == 0)
        {
            return changed | PageFlags.NoAccess;
        }

        bool isOwn = (old & (PageFlags.Anonymous | PageFlags.Shared)) == PageFlags.Anonymous && !isShared;
        bool mayWrite = isOwn || (old & PageFlags.Writable) != 0;
        return AreaList.IsWritable(protection) && mayWrite ? changed | PageFlags.Writable : changed;
    }

    private void Advise(AddressSpace mm, long first, long end, Advice advice)
    {
        var gather = new GatherRule(_requests);
        switch (advice)
        {
            case Advice.DontNeed or Advice.DontNeedLocked:
                // madvise_dontneed_single_vma: as munmap, but tables stay.
                Zap(mm, first, end, gather);
                gather.Flush();
                break;
            case Advice.Free or Advice.Cold:
                // madvise_free_pte_range, madvise_cold_or_pageout_pte_range: entries that are accessed or dirty.
                Age(mm, first, end, gather, advice == Advice.Free);
                gather.Flush();
                break;
            case Advice.PageOut:
                PageOut(mm, first, end, gather);
                break;
            default:
                break;
        }
    }

    private static void Age(AddressSpace mm, long first, long end, GatherRule gather, bool anonymousOnly)
    {
        foreach ((long table, PageFlags[] pages, int from, int to) in mm.Pages.TablesOf(first, end))
        {
            for (int i = from; i < to; i++)
            {
                bool isYoung = (pages[i] & (PageFlags.Young | PageFlags.NoAccess)) == PageFlags.Young;
                if (isYoung && (pages[i] & PageFlags.Zero) == 0 && (!anonymousOnly || (pages[i] & PageFlags.Anonymous) != 0))
                {
                    gather.RemovePage(table * PageMap.TablePages + i, queuesPage: false);
                    pages[i] &= ~PageFlags.Young;
                }
            }
        }
    }

    /// <summary>mm/vmscan.c, <c>reclaim_pages</c>: page by page (<c>ptep_clear_flush</c>).</summary>
    private void PageOut(AddressSpace mm, long first, long end, GatherRule gather)
    {
        if (profile.PageoutFlushesRange)
        {
            Age(mm, first, end, gather, anonymousOnly: false);
            gather.Flush();
        }

        foreach ((long _, PageFlags[] pages, int from, int to) in mm.Pages.TablesOf(first, end))
        {
            for (int i = from; i < to; i++)
            {
                if ((pages[i] & PageFlags.Present) != 0)
                {
                    pages[i] = PageFlags.None;
                    _requests.Add(FlushRequest.OnePage);
                }
            }
        }
    }
}
