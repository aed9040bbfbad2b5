using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary><c>mprotect</c> (mm/mprotect.c).</summary>
public class Mprotect(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/mprotect.c: <c>do_mprotect_pkey</c> for PROT_READ, with <c>change_protection</c>. Promises that no store to
    /// the range succeeds once it has returned. The flush comes at the end, behind the tables' locks but under
    /// mmap_lock.
    /// </summary>
    [KernelName("do_mprotect_pkey")]
    public virtual Proc MprotectReadOnly(Cpu cpu, Mm mm, Promise promise) => TakeRights(cpu, mm, promise, ProtectionChange.ReadOnly);

    /// <summary>
    /// mm/mprotect.c: <c>do_mprotect_pkey</c> for PROT_READ | PROT_WRITE. Promises nothing; entries stay read-only
    /// until a write fault raises them.
    /// </summary>
    [KernelName("do_mprotect_pkey")]
    public virtual async Proc MprotectWritable(Cpu cpu, Mm mm, int first, int count)
    {
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        await Kernel.MmapLock.StoreVmas(cpu, mm, areas.Writable(first, count));
        if (Kernel.Options.TryChangeWritable)
        {
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            await ChangeProtection(tlb, first, count, ProtectionChange.Writable);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
        }

        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
    }

    /// <summary>
    /// mm/mprotect.c: <c>do_mprotect_pkey</c> for PROT_NONE. Promises that no access to the range succeeds once it has
    /// returned. Only on machines of real size: small ones keep no right to read.
    /// </summary>
    [KernelName("do_mprotect_pkey")]
    public virtual Proc MprotectNone(Cpu cpu, Mm mm, Promise promise) => TakeRights(cpu, mm, promise, ProtectionChange.None);

    /// <summary>mm/mprotect.c: <c>do_mprotect_pkey</c>, as far as it takes rights away.</summary>
    [KernelName("do_mprotect_pkey")]
    protected virtual async Proc TakeRights(Cpu cpu, Mm mm, Promise promise, ProtectionChange change)
    {
        await cpu.BeginPromise(promise);
        await Kernel.MmapLock.MmapWriteLock(cpu, mm);
        VmAreas areas = await Kernel.MmapLock.FindVma(cpu, mm);
        await Kernel.MmapLock.StoreVmas(cpu, mm, change == ProtectionChange.None
            ? areas.Inaccessible(promise.FirstPage, promise.PageCount)
            : areas.ReadOnly(promise.FirstPage, promise.PageCount));
        TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
        await ChangeProtection(tlb, promise.FirstPage, promise.PageCount, change);
        await Kernel.MmuGather.TlbFinishMmu(tlb);
        await Kernel.MmapLock.MmapWriteUnlock(cpu, mm);
        await cpu.ReturnPromise(promise);
    }

    /// <summary>
    /// mm/mprotect.c: <c>change_protection</c>: table by table. Also for NUMA hints and userfaultfd, whose callers hold
    /// mmap_lock only for reading. Whoever calls it flushes: entries stay changed and unflushed until its gather ends.
    /// The kernel calls the notifiers table by table (<c>change_pmd_range</c>, 6.12), for ranges that have any.
    /// </summary>
    public virtual async Proc ChangeProtection(TlbGather tlb, int first, int count, ProtectionChange change)
    {
        if (tlb.Mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeStart(tlb.Cpu, tlb.Mm, first, count);
        }

        int span = Machine.Paging.SpanOf(1);
        for (int page = first; page < first + count; page = (page / span + 1) * span)
        {
            int end = Math.Min((page / span + 1) * span, first + count);
            if (!Kernel.Options.Thp || !await Kernel.HugeMemory.ChangePmd(tlb, page, end, change))
            {
                await ChangePteRange(tlb, page, end, change);
            }
        }

        if (tlb.Mm.HasNotifiers)
        {
            await Kernel.MmuNotifier.InvalidateRangeEnd(tlb.Cpu, tlb.Mm, first, count);
        }
    }

    /// <summary>
    /// mm/mprotect.c: <c>change_pte_range</c>: records only entries whose old value a TLB must not keep.
    /// </summary>
    public virtual async Proc ChangePteRange(TlbGather tlb, int first, int end, ProtectionChange change)
    {
        PageTable table = await Kernel.PageWalk.PteOffsetMapLock(tlb.Cpu, tlb.Mm, first);
        if (table.Index < 0)
        {
            return;
        }

        await FlushTlbBatchedPending(tlb.Cpu, tlb.Mm);
        for (int page = first; page < end; page++)
        {
            Pte old = await tlb.Cpu.EntryRead(table, page);
            if (old.MapsFrame)
            {
                if (change != ProtectionChange.NumaHint || await CanHint(tlb.Cpu, old))
                {
                    await ChangeOnePte(tlb, table, page, change);
                }
            }
            else if (old.IsMigration)
            {
                await ChangeMigrationEntry(tlb.Cpu, table, page, old, change);
            }
            else if (!old.IsNone)
            {
                await ChangeSwapEntry(tlb.Cpu, table, page, old, change);
            }
        }

        await Kernel.PageWalk.PteUnmapUnlock(tlb.Cpu, table);
    }

    /// <summary>
    /// The call of <c>flush_tlb_batched_pending</c> that <c>change_pte_range</c> makes once it holds the lock.
    /// </summary>
    protected virtual async Proc FlushTlbBatchedPending(Cpu cpu, Mm mm)
        => await Kernel.TlbBatch.FlushTlbBatchedPending(cpu, mm);

    /// <summary>
    /// mm/mprotect.c: <c>change_pte_range</c>: what becomes of the rights and the software bits of a mapped page. The
    /// rights of a private area never include writing: that comes back with a write fault.
    /// </summary>
    public virtual Pte PteModify(Pte old, ProtectionChange change)
    {
        Pte present = old.With(Pte.PresentBit).Without(Pte.ProtNoneBit | Pte.WriteBit);
        return change switch
        {
            ProtectionChange.NumaHint or ProtectionChange.None => old.With(Pte.ProtNoneBit).Without(Pte.PresentBit | Pte.WriteBit),
            ProtectionChange.UserfaultProtect => present.With(Pte.UserfaultWpBit),
            ProtectionChange.UserfaultResolve => present.Without(Pte.UserfaultWpBit),
            _ => present,
        };
    }

    /// <summary>
    /// mm/mprotect.c: <c>can_change_pte_writable</c> for private memory: nobody has to be told of a write, or be given
    /// a copy.
    /// </summary>
    public virtual async Proc<bool> CanChangePteWritable(Cpu cpu, Pte value)
        => Kernel.FolioKinds.IsWritableWithArea(value.Frame)
            || (!value.UserfaultWp
                && (!Kernel.Options.SoftDirty || value.SoftDirty)
                && (!Kernel.Options.AnonFolios || await cpu.Load(Kernel.Folios[value.Frame].AnonExclusive) != 0));

    /// <summary>
    /// mm/mprotect.c: <c>change_pte_range</c>: which entries become NUMA hints: none that is one already, and none of
    /// a page that several processes map.
    /// </summary>
    protected virtual async Proc<bool> CanHint(Cpu cpu, Pte old)
        => old.Present
            && (!Kernel.Options.AnonFolios || await cpu.Load(Kernel.Folios[old.Frame].Frame.MapCount) == 1);

    /// <summary>Changes that may make an entry writable.</summary>
    internal static bool MayUpgrade(ProtectionChange change) => change is ProtectionChange.UserfaultResolve or ProtectionChange.Writable;

    /// <summary>
    /// include/linux/mm.h: <c>vma_wants_manual_pte_write_upgrade</c>: mprotect has made the area writable; who lifts a protection by userfaultfd finds
    /// it as it is.
    /// </summary>
    public virtual async Proc<bool> WantsWriteUpgrade(TlbGather tlb, int page, ProtectionChange change) => change == ProtectionChange.Writable
        || (change == ProtectionChange.UserfaultResolve && (await Kernel.MmapLock.FindVma(tlb.Cpu, tlb.Mm)).Allows(page, true));

    /// <summary>mm/mprotect.c: <c>change_pte_range</c> for one mapped page; records it if TLBs may allow what the entry does not.</summary>
    [KernelName]
    protected virtual async Proc ChangeOnePte(TlbGather tlb, PageTable table, int page, ProtectionChange change)
    {
        Pte old = await Kernel.PteOps.PtepModifyProtStart(tlb.Cpu, table, page);
        Pte value = PteModify(old, change);
        if (MayUpgrade(change) && await WantsWriteUpgrade(tlb, page, change) && await CanChangePteWritable(tlb.Cpu, value))
        {
            value = value.With(Pte.WriteBit);
        }

        await Kernel.PteOps.PtepModifyProtCommit(tlb.Cpu, table, page, value);
        if (Kernel.PteOps.PteNeedsFlush(old, value))
        {
            await Kernel.MmuGather.TlbRemoveTlbEntry(tlb, page, 0);
        }
    }

    /// <summary>
    /// mm/mprotect.c: <c>change_pte_range</c>, for pages that move: the entry that comes back must not allow more.
    /// </summary>
    protected virtual async Proc ChangeMigrationEntry(Cpu cpu, PageTable table, int page, Pte old, ProtectionChange change)
    {
        Pte value = change switch
        {
            ProtectionChange.UserfaultProtect => old.Without(Pte.WriteBit).With(Pte.UserfaultWpBit),
            ProtectionChange.UserfaultResolve => old.Without(Pte.WriteBit | Pte.UserfaultWpBit),
            _ => old.Without(Pte.WriteBit),
        };
        if (value != old)
        {
            await Kernel.PteOps.SetPteAt(cpu, table, page, value);
        }
    }

    /// <summary>mm/mprotect.c: <c>change_pte_range</c>, for pages in swap: the mark of userfaultfd waits there for them to come back.</summary>
    [KernelName]
    protected virtual async Proc ChangeSwapEntry(Cpu cpu, PageTable table, int page, Pte old, ProtectionChange change)
    {
        Pte value = change switch
        {
            ProtectionChange.UserfaultProtect => old.With(Pte.UserfaultWpBit),
            ProtectionChange.UserfaultResolve => old.Without(Pte.UserfaultWpBit),
            _ => old,
        };
        if (value != old)
        {
            await Kernel.PteOps.SetPteAt(cpu, table, page, value);
        }
    }
}

/// <summary>What <c>change_protection</c> is called for.</summary>
public enum ProtectionChange
{
    /// <summary><c>mprotect</c> takes the right to write away.</summary>
    ReadOnly,

    /// <summary><c>mprotect</c> takes all rights away.</summary>
    None,

    /// <summary><c>mprotect</c> gives the right to write.</summary>
    Writable,

    /// <summary><c>MM_CP_PROT_NUMA</c>: the next access shall fault.</summary>
    NumaHint,

    /// <summary><c>MM_CP_UFFD_WP</c>: the next write shall be reported.</summary>
    UserfaultProtect,

    /// <summary><c>MM_CP_UFFD_WP_RESOLVE</c>: writes are the area's own business again.</summary>
    UserfaultResolve,
}
