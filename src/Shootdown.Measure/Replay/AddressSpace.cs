namespace Shootdown.Measure;

/// <summary>An address space (mm_struct) as far as a trace shows it.</summary>
internal sealed class AddressSpace
{
    /// <summary>What it maps.</summary>
    public AreaList Areas { get; init; } = new();

    /// <summary>Its pages and tables.</summary>
    public PageMap Pages { get; init; } = new();

    /// <summary>End of the heap in bytes; 0 if not known yet.</summary>
    public long Break { get; set; }

    /// <summary>Tasks that live in it, as far as they were seen.</summary>
    public int Tasks { get; set; }

    /// <summary>True until something is known of it but its one task.</summary>
    public bool IsUnknown { get; set; } = true;

    /// <summary>CPUs that are in its mask though they have switched away; only in kernels that keep them there.</summary>
    public SortedSet<int> StaleCpus { get; } = [];

    /// <summary>When such CPUs were last interrupted to be removed; 0 before the first flush.</summary>
    public long TrimmedNs { get; set; }

    /// <summary>Address spaces that share pages since a fork.</summary>
    public ForkFamily Family { get; private set; } = new();

    /// <summary>mm/memory.c, <c>copy_page_range</c>: anonymous pages are shared and write-protected in both.</summary>
    public AddressSpace Fork()
    {
        foreach (PageFlags[] table in Pages.Tables)
        {
            for (int i = 0; i < table.Length; i++)
            {
                if ((table[i] & PageFlags.Anonymous) != 0)
                {
                    table[i] = (table[i] | PageFlags.Shared) & ~PageFlags.Writable;
                }
            }
        }

        Family.Members++;
        return new AddressSpace { Areas = Areas.Copy(), Pages = Pages.Copy(), Break = Break, Tasks = 1, IsUnknown = false, Family = Family };
    }
}

/// <summary>Address spaces that came from each other by fork: a page of one may be mapped by the others.</summary>
internal sealed class ForkFamily
{
    /// <summary>Those that still exist.</summary>
    public int Members { get; set; } = 1;
}
