namespace Shootdown.Measure;

/// <content>mremap.</content>
internal sealed partial class MemoryRules
{
    /// <summary>mm/mremap.c, <c>mremap_to</c> and <c>move_vma</c>: what is at the new place goes, entries move, the old place is unmapped.</summary>
    private void Remap(AddressSpace mm, in TraceEvent call, long to)
    {
        const int fixedPlace = 2;
        long from = call.A0 >>> PageShift;
        long oldPages = PagesOf(call.A1);
        long newPages = PagesOf(call.A2);
        if ((call.A3 & fixedPlace) != 0)
        {
            Unmap(mm, to, to + newPages);
        }

        if (newPages < oldPages)
        {
            Unmap(mm, from + newPages, from + oldPages);
            oldPages = newPages;
        }

        Area area = mm.Areas.Find(from) ?? new Area(from, from + oldPages, 3, AreaKind.Anonymous);
        if (to == from)
        {
            mm.Areas.Remove(from, from + newPages);
            mm.Areas.Add(area with { First = from, End = from + newPages });
            return;
        }

        mm.Areas.Remove(to, to + newPages);
        mm.Areas.Add(area with { First = to, End = to + newPages });
        MovePageTables(mm, from, to, oldPages);
        if ((call.A3 & MremapDontUnmap) == 0)
        {
            Unmap(mm, from, from + oldPages);
        }
    }

    /// <summary>
    /// mm/mremap.c, <c>move_page_tables</c>: a whole table is moved as one (<c>move_normal_pmd</c>), else entry by entry and one
    /// flush a table if any was present (<c>move_ptes</c>). The flush counts as if tables were freed: <c>flush_tlb_range</c>,
    /// which says so since 3ef938c35035, also in 6.1 and 6.12 stable kernels.
    /// </summary>
    private void MovePageTables(AddressSpace mm, long from, long to, long count)
    {
        for (long done = 0; done < count;)
        {
            long page = from + done;
            long extent = Math.Min(count - done, PageMap.TablePages - page % PageMap.TablePages);
            extent = Math.Min(extent, PageMap.TablePages - (to + done) % PageMap.TablePages);
            bool any = mm.Pages.TablesOf(page, page + extent).Any(table => table.Pages[table.First..table.End].Any(flags => flags != 0));
            bool hasTable = mm.Pages.TablesOf(page, page + extent).Any();
            if (extent == PageMap.TablePages && hasTable)
            {
                mm.Pages.MoveTable(page / PageMap.TablePages, (to + done) / PageMap.TablePages);
                _requests.Add(new FlushRequest(extent, 0, true));
            }
            else if (any)
            {
                for (long i = 0; i < extent; i++)
                {
                    PageFlags flags = mm.Pages[page + i];
                    if (flags != PageFlags.None)
                    {
                        mm.Pages[to + done + i] = flags;
                        mm.Pages[page + i] = PageFlags.None;
                    }
                }

                _requests.Add(new FlushRequest(extent, 0, true));
            }
            else if (hasTable)
            {
                // move_ptes allocates the new table before it looks.
                mm.Pages[to + done] = PageFlags.None;
            }

            done += extent;
        }
    }
}
