using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Primitives on page-table entries as x86 implements them (arch/x86/include/asm/pgtable.h, mm/pgtable-generic.c).
/// Callers hold the table's lock.
/// </summary>
public class PteOps(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/memory.c and others: <c>ptep_get_and_clear</c>. An atomic exchange, so that accessed and dirty bits which
    /// hardware sets up to that instant are in the result, and a full fence on x86.
    /// </summary>
    public virtual async Proc<Pte> PtepGetAndClear(Cpu cpu, PageTable table, int page)
        => await cpu.EntryExchange(table, page, Pte.None, "ptep_get_and_clear");

    /// <summary>arch/x86/include/asm/pgtable.h: <c>set_pte_at</c>. A plain store of the whole entry.</summary>
    public virtual async Proc SetPteAt(Cpu cpu, PageTable table, int page, Pte value)
        => await cpu.EntryStore(table, page, value);

    /// <summary>
    /// The places that replace a page: <c>wp_page_copy</c> and KSM. From 2.6.32 to 6.9 they call <c>set_pte_at_notify</c>, which tells
    /// secondary MMUs of the new entry (<see cref="ChangePteOps"/>); since 6.10 it is <c>set_pte_at</c>.
    /// </summary>
    public virtual Proc SetPteAtNotify(Cpu cpu, Mm mm, PageTable table, int page, Pte value) => SetPteAt(cpu, table, page, value);

    /// <summary>
    /// arch/x86/include/asm/pgtable.h: <c>pte_clear</c>, <c>pte_clear_not_present_full</c>. A plain store of nothing:
    /// only for entries that hardware cannot have cached, or where a fence follows before anybody decides whom to
    /// flush.
    /// </summary>
    public virtual async Proc PteClear(Cpu cpu, PageTable table, int page)
        => await cpu.EntryStore(table, page, Pte.None, "pte_clear");

    /// <summary>
    /// arch/x86/include/asm/pgtable.h: <c>ptep_set_wrprotect</c>. Atomic, so that a dirty bit set meanwhile is kept.
    /// </summary>
    public virtual async Proc<Pte> PtepSetWrprotect(Cpu cpu, PageTable table, int page)
        => await cpu.EntryClearBits(table, page, Pte.WriteBit, "ptep_set_wrprotect");

    /// <summary>
    /// mm/pgtable-generic.c: <c>ptep_modify_prot_start</c>. The entry is none until the commit; hardware that walks
    /// meanwhile faults and waits for the lock.
    /// </summary>
    public virtual async Proc<Pte> PtepModifyProtStart(Cpu cpu, PageTable table, int page)
        => await cpu.EntryExchange(table, page, Pte.None, "ptep_modify_prot_start");

    /// <summary>mm/pgtable-generic.c: <c>ptep_modify_prot_commit</c>.</summary>
    public virtual async Proc PtepModifyProtCommit(Cpu cpu, PageTable table, int page, Pte value)
        => await cpu.EntryStore(table, page, value, "ptep_modify_prot_commit");

    /// <summary>
    /// mm/pgtable-generic.c: <c>ptep_clear_flush</c>. Clears and flushes the page everywhere, if the old entry could
    /// have been cached.
    /// </summary>
    public virtual async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int page)
    {
        Pte old = await PtepGetAndClear(cpu, table, page);
        if (await PteAccessible(cpu, mm, old))
        {
            await Kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
        }

        return old;
    }

    /// <summary>
    /// arch/x86/include/asm/pgtable.h: <c>pte_accessible</c>. A protnone entry counts while some flush of the address
    /// space is pending: its present predecessor may still be cached.
    /// </summary>
    public virtual async Proc<bool> PteAccessible(Cpu cpu, Mm mm, Pte value)
        => value.Present || ((value.Bits & Pte.ProtNoneBit) != 0 && await cpu.Load(mm.TlbFlushPending) != 0);

    /// <summary>The entry of a page: <c>mk_pte</c>, <c>pte_mkdirty</c> and <c>pte_mkwrite</c> of a fault.</summary>
    public Pte MkWritable(int frame, bool write, bool dirty)
    {
        var entry = Pte.Leaf(frame, write);
        return dirty ? PteMkdirty(entry) : entry;
    }

    /// <summary>arch/x86/include/asm/pgtable.h: <c>pte_mkdirty</c>: dirty for soft-dirty tracking too.</summary>
    public virtual Pte PteMkdirty(Pte value)
        => value.With(Pte.DirtyBit | (Kernel.Options.SoftDirty ? Pte.SoftDirtyBit : 0));

    /// <summary>
    /// arch/x86/include/asm/tlbflush.h: <c>pte_needs_flush</c>. Not for entries that were not present, raised rights
    /// (a spurious fault repairs those) or software bits; the accessed bit is ignored.
    /// </summary>
    public virtual bool PteNeedsFlush(Pte old, Pte value)
    {
        const ulong FlushOnClear = Pte.DirtyBit | Pte.PresentBit;
        const ulong FlushOnChange = Pte.WriteBit | Pte.HugeBit | Pte.NoExecuteBit;
        if (!old.Present)
        {
            return false;
        }

        ulong changed = old.Bits ^ value.Bits;
        return old.Frame != value.Frame || (changed & old.Bits & FlushOnClear) != 0 || (changed & FlushOnChange) != 0;
    }
}
