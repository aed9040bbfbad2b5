namespace Shootdown.Kernel;

/// <summary>
/// What kind of memory a present entry maps. Linux asks the folio and the area; here the area alone says it, and every folio of an
/// area is of one kind. A kernel that does not know files (a replayed trace names none) answers by folio instead.
/// </summary>
public class FolioKinds(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>include/linux/page-flags.h: not <c>folio_test_anon</c>: the page is the page cache's.</summary>
    public virtual bool IsFile(Mm mm, int page, int frame)
    {
        ArgumentNullException.ThrowIfNull(mm);
        return mm.FileAreaOf(page)?.Kind == FileAreaKind.Shared;
    }

    /// <summary>mm/memory.c: <c>vma_needs_copy</c>: false if the child of a fork is to fault the page in.</summary>
    public virtual bool IsCopied(int frame) => true;

    /// <summary>mm/vmscan.c: false for a page that reclaim and migration leave alone.</summary>
    public virtual bool IsOnLru(int frame) => true;

    /// <summary>mm/mmap.c: not <c>vma_wants_writenotify</c>: entries of the page are as writable as its area.</summary>
    public virtual bool IsWritableWithArea(int frame) => false;
}
