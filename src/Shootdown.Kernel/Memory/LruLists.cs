using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The LRU lists (mm/swap.c). No list decides what is mapped or flushed, so here nothing happens; on a machine whose time is
/// measured their lock is waited for.
/// </summary>
public class LruLists(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>mm/swap.c: <c>folio_add_lru</c>: a new folio goes into its CPU's batch.</summary>
    public virtual async Proc FolioAddLru(Cpu cpu, int frame)
    {
    }

    /// <summary>mm/swap.c: <c>lru_add_drain</c>: the CPU's batch goes to the lists.</summary>
    public virtual async Proc LruAddDrain(Cpu cpu)
    {
    }

    /// <summary>mm/swap.c: <c>release_pages</c>, <c>folios_put_refs</c>: folios that are freed leave the lists.</summary>
    public virtual async Proc ReleasePages(Cpu cpu, FrameSet frames)
    {
    }
}
