using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The way from a page to the tables that map it (mm/rmap.c), as far as it keeps tables alive: whoever walks holds
/// the anon_vma lock for reading, and munmap unlinks an area under the lock before it frees its tables. With one
/// level of tables nothing is ever freed, and none of this is a step.
/// </summary>
public class Rmap(KernelModel kernel) : Mechanism(kernel)
{
    private bool TablesAreFreed => Machine.Paging.Levels > 1;

    /// <summary>
    /// mm/rmap.c: <c>folio_lock_anon_vma_read</c> and the look-up that follows; false if no area has the page any
    /// more.
    /// </summary>
    [KernelName("folio_lock_anon_vma_read")]
    public virtual async Proc<bool> RmapWalkStart(Cpu cpu, Mm mm, int page)
    {
        if (!TablesAreFreed)
        {
            return true;
        }

        await cpu.DownRead(mm.AnonVma);
        return new VmAreas(await cpu.Load(mm.AnonVmaPages)).Covers(page, 1);
    }

    /// <summary>mm/rmap.c: the end of <c>rmap_walk_anon</c>.</summary>
    [KernelName("rmap_walk_anon")]
    public virtual async Proc RmapWalkEnd(Cpu cpu, Mm mm)
    {
        if (TablesAreFreed)
        {
            await cpu.UpRead(mm.AnonVma);
        }
    }

    /// <summary>mm/rmap.c: <c>unlink_anon_vmas</c>.</summary>
    public virtual async Proc UnlinkAnonVmas(Cpu cpu, Mm mm, int first, int count)
    {
        if (TablesAreFreed)
        {
            await cpu.DownWrite(mm.AnonVma);
            var linked = new VmAreas(await cpu.Load(mm.AnonVmaPages));
            await cpu.Store(mm.AnonVmaPages, linked.Without(first, count).Bits);
            await cpu.UpWrite(mm.AnonVma);
        }
    }
}
