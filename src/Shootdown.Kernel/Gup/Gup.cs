using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// GUP-fast (mm/gup.c, 6.12): looks a page up without any lock, and takes a reference or a pin. Interrupts are off from the first
/// read to the last: whoever frees a table behind an IPI, or behind an RCU grace period, waits for that. Nobody waits before he changes
/// an entry: so everything that was read is read again once the reference is held.
/// </summary>
/// <remarks>One page a call. Accessed bits and writeback restrictions of files are left out.</remarks>
public class Gup(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>mm/gup.c: <c>gup_fast_fallback</c>: the frame, -1 if there is none. Falls back to the slow path unless told not to.</summary>
    public virtual async Proc<int> GupFastFallback(GupCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Cpu.BeginPin(call.Request);
        int frame = await GupFast(call);
        if (frame < 0 && (call.Flags & GupFlags.FastOnly) == 0)
        {
            frame = await Kernel.GupSlow.GetUserPages(call);
        }

        await call.Cpu.ReturnPin(call.Request, frame);
        return frame;
    }

    /// <summary>
    /// mm/gup.c: <c>gup_fast</c> (<c>lockless_pages_from_mm</c> before 6.9). While fork copies (write_protect_seq is odd) nothing is pinned,
    /// and what was pinned while it began is let go.
    /// </summary>
    public virtual async Proc<int> GupFast(GupCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        ulong seq = 0;
        if (call.Pins)
        {
            seq = await RawReadSeqcount(call);
            if ((seq & 1) != 0)
            {
                return -1;
            }
        }

        await LocalIrqSave(call.Cpu);
        int frame = await GupFastPgdRange(call);
        await LocalIrqRestore(call.Cpu);
        if (frame >= 0 && call.Pins && await ReadSeqcountRetry(call, seq))
        {
            await GupPutFolio(call, frame);
            return -1;
        }

        return frame;
    }

    /// <summary>mm/gup.c: <c>gup_fast_pgd_range</c> and its kin: level by level, each entry read once.</summary>
    public virtual async Proc<int> GupFastPgdRange(GupCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        PageTable table = Kernel.PageWalk.Root(call.Mm);
        PageTable above = PageWalk.NoTable;
        Pte pmd = default;
        while (table.Level > 0)
        {
            above = table;
            pmd = await call.Cpu.EntryReadLockless(call.Mm.Space, table, call.Page, "pmdp_get_lockless");
            if (!pmd.Present)
            {
                return -1;
            }

            if (pmd.Huge)
            {
                return await GupFastPmdLeaf(call, table, pmd);
            }

            table = Kernel.PageWalk.Below(table, pmd, call.Page);
        }

        return await GupFastPteRange(call, above, pmd, table);
    }

    /// <summary>
    /// mm/gup.c: <c>gup_fast_pte_range</c>. The entry and the one that led to its table are read again behind the reference:
    /// whoever took the page away before that has cleared one of them, and whoever does it later finds the reference.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="above">The table with the entry that led here.</param>
    /// <param name="pmd">That entry.</param>
    /// <param name="table">The table of leaf entries.</param>
    public virtual async Proc<int> GupFastPteRange(GupCall call, PageTable above, Pte pmd, PageTable table)
    {
        ArgumentNullException.ThrowIfNull(call);
        Pte pte = await PtepGetLockless(call, table);
        if (!pte.Present || (call.Writes && !pte.Write) || !await TryGrabFolioFast(call, pte.Frame))
        {
            return -1;
        }

        if (await PmdChanged(call, above, pmd) || await PteChanged(call, table, pte)
            || (!pte.Write && await Kernel.AnonExclusive.GupMustUnshare(call, pte.Frame)))
        {
            await GupPutFolio(call, pte.Frame);
            return -1;
        }

        return pte.Frame;
    }

    /// <summary>mm/gup.c: <c>gup_fast_pmd_leaf</c>: a huge page; there is one entry to read again.</summary>
    public virtual async Proc<int> GupFastPmdLeaf(GupCall call, PageTable table, Pte pmd)
    {
        ArgumentNullException.ThrowIfNull(call);
        int frame = pmd.Frame + (call.Page % Machine.Paging.SpanOf(1));
        if ((call.Writes && !pmd.Write) || !await TryGrabFolioFast(call, frame))
        {
            return -1;
        }

        if (await PmdChanged(call, table, pmd) || (!pmd.Write && await Kernel.AnonExclusive.GupMustUnshare(call, frame)))
        {
            await GupPutFolio(call, frame);
            return -1;
        }

        return frame;
    }

    /// <summary>mm/gup.c: <c>unpin_user_page</c>, or <c>put_page</c>: the caller is done with the page.</summary>
    public virtual async Proc UnpinUserPage(GupCall call, int frame)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Cpu.Unpin(frame, call.Request, call.Pins, call.Pins ? "unpin_user_page" : "put_page");
    }

    /// <summary>
    /// mm/gup.c: <c>try_grab_folio_fast</c>: false if the page has no reference left: it is being freed.
    /// </summary>
    public virtual async Proc<bool> TryGrabFolioFast(GupCall call, int frame)
    {
        ArgumentNullException.ThrowIfNull(call);
        return call.Pins
            ? await call.Cpu.FrameTryPin(frame) != 0
            : await call.Cpu.FrameTryGet(frame, "try_grab_folio_fast") != 0;
    }

    /// <summary>mm/gup.c: <c>gup_put_folio</c>: what was taken is given back.</summary>
    public virtual async Proc GupPutFolio(GupCall call, int frame)
    {
        ArgumentNullException.ThrowIfNull(call);
        await call.Cpu.Unpin(frame, null, call.Pins, "gup_put_folio");
    }

    /// <summary>The read of the entry in <c>gup_fast_pte_range</c>.</summary>
    [KernelName]
    protected virtual async Proc<Pte> PtepGetLockless(GupCall call, PageTable table)
        => await call.Cpu.EntryReadLockless(call.Mm.Space, table, call.Page, "ptep_get_lockless");

    /// <summary>
    /// The second look of <c>gup_fast_pte_range</c> at the entry that points to the table (70cbc3cc78a9, 6.0): khugepaged clears that
    /// one and leaves those below alone.
    /// </summary>
    [KernelName]
    protected virtual async Proc<bool> PmdChanged(GupCall call, PageTable above, Pte pmd)
        => above.Index >= 0
            && await call.Cpu.EntryReadLockless(call.Mm.Space, above, call.Page, "pmdp_get") != pmd;

    /// <summary>The second look of <c>gup_fast_pte_range</c> at the entry itself.</summary>
    [KernelName]
    protected virtual async Proc<bool> PteChanged(GupCall call, PageTable table, Pte pte)
        => await call.Cpu.EntryReadLockless(call.Mm.Space, table, call.Page, "ptep_get") != pte;

    /// <summary>include/linux/irqflags.h: <c>local_irq_save</c>: walkers in software count on being waited for.</summary>
    protected virtual async Proc LocalIrqSave(Cpu cpu) => await cpu.InterruptsOff();

    /// <summary>include/linux/irqflags.h: <c>local_irq_restore</c>.</summary>
    protected virtual async Proc LocalIrqRestore(Cpu cpu) => await cpu.InterruptsOn();

    /// <summary>include/linux/seqlock.h: <c>raw_read_seqcount(&amp;mm->write_protect_seq)</c>.</summary>
    protected virtual async Proc<ulong> RawReadSeqcount(GupCall call)
        => Kernel.Options.WriteProtectSeq ? await call.Cpu.Load(call.Mm.WriteProtectSeq, MemoryOrder.Acquire, StepWeight.Key) : 0;

    /// <summary>include/linux/seqlock.h: <c>read_seqcount_retry</c>, behind the pin.</summary>
    protected virtual async Proc<bool> ReadSeqcountRetry(GupCall call, ulong seq)
        => Kernel.Options.WriteProtectSeq && await call.Cpu.Load(call.Mm.WriteProtectSeq, weight: StepWeight.Key) != seq;
}
