using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <content>Faults on huge entries.</content>
public partial class HugeMemory
{
    /// <summary>
    /// mm/memory.c: the part of <c>__handle_mm_fault</c> that looks at the huge entry: true if there is one and the access
    /// is to be tried again.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="page">The page.</param>
    /// <param name="write">True for a write fault.</param>
    /// <param name="mayWrite">True if the area allows writing.</param>
    public virtual async Proc<bool> HandleHugePmd(Cpu cpu, Mm mm, int page, bool write, bool mayWrite)
    {
        PageTable pmd = await Kernel.PageWalk.TableAt(cpu, mm, page, 1);
        if (pmd.Index < 0)
        {
            return false;
        }

        Pte entry = await cpu.EntryRead(pmd, page, "pmdp_get_lockless");
        if (!entry.Huge)
        {
            return false;
        }

        if (write && entry.Present && !entry.Write)
        {
            return await DoHugePmdWpPage(cpu, mm, pmd, page, entry);
        }

        await DoHugePmdNumaPage(cpu, pmd, page, mayWrite && !MapsFile(mm, page));
        return true;
    }

    /// <summary>
    /// mm/huge_memory.c: <c>do_huge_pmd_wp_page</c>, with <c>wp_huge_pmd</c>: a store to a read-only huge entry. A page that nobody
    /// shares becomes writable, without a flush as rights are raised; any other, and one of a file, is split, and false returned: the next
    /// fault makes a copy, or tells the file system.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="pmd">The table with the entry.</param>
    /// <param name="page">The page.</param>
    /// <param name="seen">The entry as it was read without the lock.</param>
    public virtual async Proc<bool> DoHugePmdWpPage(Cpu cpu, Mm mm, PageTable pmd, int page, Pte seen)
    {
        if (MapsFile(mm, page))
        {
            // Who maps it again asks the file system first (page_mkwrite).
            await SplitHugePmd(cpu, mm, page / Span * Span);
            return false;
        }

        Pte entry = await PmdTransHugeLock(cpu, pmd, page);
        if (!entry.Huge)
        {
            return true;
        }

        if (entry == seen && entry.UserfaultWp)
        {
            await Kernel.Userfaultfd.HandleUserfault(cpu, mm, pmd);
            return true;
        }

        bool reuse = entry == seen && await CanReuseHugePage(cpu, entry.Frame);
        if (reuse)
        {
            await cpu.EntryStore(pmd, page, Kernel.PteOps.PteMkdirty(entry).With(Pte.WriteBit), "pmdp_set_access_flags");
        }

        await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
        if (entry == seen && !reuse)
        {
            await SplitHugePmd(cpu, mm, page / Span * Span);
            return false;
        }

        return true;
    }

    /// <summary>The test of <c>do_huge_pmd_wp_page</c>: true if all of the page belongs to the process alone.</summary>
    [KernelName]
    protected virtual async Proc<bool> CanReuseHugePage(Cpu cpu, int frame)
    {
        for (int i = 0; i < FoliosOf(frame); i++)
        {
            if (Kernel.Options.AnonFolios && !await Kernel.CopyOnWrite.WpCanReuseAnonFolio(cpu, frame + i))
            {
                return false;
            }
        }

        return frame != Kernel.HugeZeroFrame;
    }

    /// <summary>
    /// mm/huge_memory.c: <c>do_huge_pmd_numa_page</c>, without migration: makes the entry accessible again. If it was
    /// invalid because someone was changing it, waiting for the lock was all there is to do.
    /// </summary>
    public virtual async Proc DoHugePmdNumaPage(Cpu cpu, PageTable pmd, int page, bool mayWrite)
    {
        await cpu.SpinLock(Machine.Paging.LockOf(pmd.Index));
        Pte entry = await cpu.EntryRead(pmd, page, "pmdp_get");
        if (entry.Huge && (entry.Bits & Pte.ProtNoneBit) != 0)
        {
            Pte value = entry.Without(Pte.ProtNoneBit).With(Pte.PresentBit);
            bool writable = mayWrite && await Kernel.Mprotect.CanChangePteWritable(cpu, value);
            await cpu.EntryStore(pmd, page, writable ? value.With(Pte.WriteBit) : value, "set_pmd_at");
        }

        await cpu.SpinUnlock(Machine.Paging.LockOf(pmd.Index));
    }
}
