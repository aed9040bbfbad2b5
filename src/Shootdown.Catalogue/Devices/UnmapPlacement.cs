using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>Where the CPUs' TLBs are flushed when reclaim removes an entry.</summary>
public enum PrimaryFlush
{
    /// <summary>Under the table's lock (<c>ptep_clear_flush</c>).</summary>
    UnderLock,

    /// <summary>Right behind the unlock, with nothing that tells others.</summary>
    AfterLock,

    /// <summary>With a batch (<c>TTU_BATCH_FLUSH</c>), behind the end of the notifier's range; <c>tlb_flush_batched</c> tells others.</summary>
    Batched,
}

/// <summary>Where the secondary TLBs are flushed when reclaim removes an entry.</summary>
public enum SecondaryFlush
{
    /// <summary>Under the table's lock, but before the entry is cleared.</summary>
    BeforeClear,

    /// <summary>Under the table's lock, behind the clearing.</summary>
    UnderLock,

    /// <summary>Right behind the unlock.</summary>
    AfterLock,

    /// <summary>By the end of the notifier's range only.</summary>
    RangeEnd,

    /// <summary>Under the lock, and by the end of the range again.</summary>
    Both,

    /// <summary>Nowhere.</summary>
    None,
}

/// <summary>How long the caller holds a reference of its own.</summary>
public enum ReferenceHeld
{
    /// <summary>It has none: the entry's may be the last.</summary>
    No,

    /// <summary>Until <c>try_to_unmap_one</c> has dropped the table's lock and flushed what it flushes right behind that.</summary>
    UntilUnlock,

    /// <summary>Until the end of the notifier's range.</summary>
    UntilRangeEnd,

    /// <summary>Until the batch is flushed too, as reclaim does.</summary>
    UntilFlushed,
}

/// <summary>What runs beside the unmapping.</summary>
public enum UnmapPeer
{
    /// <summary>A user thread that accesses the page.</summary>
    None,

    /// <summary><c>madvise(MADV_DONTNEED)</c>.</summary>
    Dontneed,

    /// <summary><c>mprotect(PROT_READ)</c>.</summary>
    Mprotect,

    /// <summary><c>munmap</c>, and a new area at the same place.</summary>
    MunmapMmap,

    /// <summary>A store that faults a new page in, after which the CPU rings the device's doorbell.</summary>
    Fault,

    /// <summary>Migration of the page.</summary>
    Migration,
}

/// <summary>
/// <c>try_to_unmap_one()</c> of 4.14 with the flushes at any place (seed 000): one page is unmapped by reclaim while it is mapped, and a
/// device shares the page tables.
/// </summary>
/// <param name="kernel">A kernel with <see cref="InvalidateRangeNotifier"/>.</param>
/// <param name="primary">Where the CPUs' TLBs are flushed.</param>
/// <param name="secondary">Where the secondary ones are.</param>
/// <param name="reference">How long the caller holds a reference of its own.</param>
/// <param name="pageLock">True if the caller holds the page lock.</param>
public sealed class UnmapPlacement(
    KernelModel kernel, PrimaryFlush primary, SecondaryFlush secondary, ReferenceHeld reference, bool pageLock) : Mechanism(kernel)
{
    private readonly PrimaryFlush _primary = primary;
    private readonly SecondaryFlush _secondary = secondary;
    private readonly ReferenceHeld _reference = reference;
    private readonly bool _pageLock = pageLock;

    private bool FlushesAtEnd => _secondary is SecondaryFlush.RangeEnd or SecondaryFlush.Both;

    /// <summary>Isolates the page, unmaps it, flushes what was deferred, and drops its reference.</summary>
    [KernelName]
    public async Proc ShrinkPage(Cpu cpu, Mm mm, int page, int frame)
    {
        if (_reference != ReferenceHeld.No && !await Kernel.Reclaim.FolioIsolateLru(cpu, frame))
        {
            return;
        }

        if (_pageLock)
        {
            await Kernel.Filemap.FolioLock(cpu, frame);
        }

        await InvalidateRangeNotifier.Of(Kernel).InvalidateRangeStart(cpu, mm, page, 1);
        await TryToUnmapOne(cpu, mm, page, frame);
        await PutIfHeld(cpu, frame, ReferenceHeld.UntilUnlock);
        await InvalidateRangeEnd(cpu, mm, page);
        await PutIfHeld(cpu, frame, ReferenceHeld.UntilRangeEnd);
        await Kernel.TlbBatch.TryToUnmapFlush(cpu);
        if (_pageLock)
        {
            await Kernel.Filemap.FolioUnlock(cpu, frame);
        }

        await PutIfHeld(cpu, frame, ReferenceHeld.UntilFlushed);
    }

    [KernelName]
    private async Proc PutIfHeld(Cpu cpu, int frame, ReferenceHeld until)
    {
        if (_reference == until)
        {
            await cpu.PutFrames(1UL << frame, "put_page");
        }
    }

    /// <summary>The end of the range, by whichever name it has the wanted effect in this design.</summary>
    private async Proc InvalidateRangeEnd(Cpu cpu, Mm mm, int page)
    {
        InvalidateRangeNotifier notifier = InvalidateRangeNotifier.Of(Kernel);
        if (FlushesAtEnd == notifier.EndImplies)
        {
            await notifier.InvalidateRangeEnd(cpu, mm, page, 1);
        }
        else if (FlushesAtEnd)
        {
            await notifier.InvalidateRangeEndFull(cpu, mm, page, 1);
        }
        else
        {
            await notifier.InvalidateRangeOnlyEnd(cpu, mm, page, 1);
        }
    }

    /// <summary>mm/rmap.c: <c>try_to_unmap_one</c> (4.14).</summary>
    private async Proc TryToUnmapOne(Cpu cpu, Mm mm, int page, int frame)
    {
        InvalidateRangeNotifier notifier = InvalidateRangeNotifier.Of(Kernel);
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(cpu, mm, page);
        if (table.Index < 0)
        {
            return;
        }

        // What spin_lock() does too: callbacks under the lock must not sleep.
        await cpu.PreemptDisable();
        Pte entry = await cpu.EntryRead(table, page);
        bool mapped = entry.Present && entry.Frame == frame;
        if (mapped)
        {
            if (_secondary == SecondaryFlush.BeforeClear)
            {
                await notifier.InvalidateRange(cpu, mm, PageRange.Of(page, 1));
            }

            await Clear(cpu, mm, table, page);
            if (_secondary is SecondaryFlush.UnderLock or SecondaryFlush.Both)
            {
                await notifier.InvalidateRange(cpu, mm, PageRange.Of(page, 1));
            }

            await Kernel.PteOps.SetPteAt(cpu, table, page, Pte.Swap(page));
            await Kernel.Rmap.FolioRemoveRmapPte(cpu, frame);
            await cpu.PutFrames(1UL << frame, "put_page");
        }

        await cpu.PreemptEnable();
        await Kernel.PageWalk.PteUnmapUnlock(cpu, table);
        if (mapped && _primary == PrimaryFlush.AfterLock)
        {
            await Kernel.TlbFlush.FlushTlbPage(cpu, mm, page);
        }

        if (mapped && _secondary == SecondaryFlush.AfterLock)
        {
            await notifier.InvalidateRange(cpu, mm, PageRange.Of(page, 1));
        }
    }

    private async Proc Clear(Cpu cpu, Mm mm, PageTable table, int page)
    {
        if (_primary == PrimaryFlush.UnderLock)
        {
            await Kernel.PteOps.PtepClearFlush(cpu, mm, table, page);
            return;
        }

        Pte old = await Kernel.PteOps.PtepGetAndClear(cpu, table, page);
        if (_primary == PrimaryFlush.Batched)
        {
            await Kernel.TlbBatch.SetTlbUbcFlushPending(cpu, mm, old);
        }
    }
}
