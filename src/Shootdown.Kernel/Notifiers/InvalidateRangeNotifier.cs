using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// The notifiers of 4.14 to 6.5 (mm/mmu_notifier.c): the flush of the CPUs' TLBs tells no secondary one. Instead the end of a range implies
/// <c>invalidate_range</c>, unless the caller asks for the end only, and callers that may not wait for the end call it from under the table's lock.
/// </summary>
/// <remarks>
/// With <paramref name="endImplies"/> false it is the interface that seed 000 proposes: the plain end calls nothing more, and
/// <see cref="InvalidateRangeEndFull"/> does.
/// </remarks>
/// <param name="kernel">The kernel.</param>
/// <param name="endImplies">True if <c>mmu_notifier_invalidate_range_end</c> calls <c>invalidate_range</c>.</param>
public class InvalidateRangeNotifier(KernelModel kernel, bool endImplies = true) : MmuNotifier(kernel)
{
    /// <summary>The notifiers of a kernel that has this design.</summary>
    /// <exception cref="ArgumentException">The kernel has another design.</exception>
    public static InvalidateRangeNotifier Of(KernelModel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return kernel.MmuNotifier as InvalidateRangeNotifier
            ?? throw new ArgumentException("the kernel's notifiers have no invalidate_range: set KernelParts.MmuNotifier", nameof(kernel));
    }

    /// <summary>True if the end of a range implies <c>invalidate_range</c>.</summary>
    public bool EndImplies { get; } = endImplies;

    /// <summary>The CPUs' flush tells nobody else.</summary>
    [KernelName]
    public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, Mm mm, PageRange range)
    {
    }

    /// <inheritdoc/>
    [KernelName("mmu_notifier_invalidate_range_end")]
    public override async Proc InvalidateRangeEnd(Cpu cpu, Mm mm, int first, int count)
    {
        if (EndImplies)
        {
            await InvalidateRange(cpu, mm, PageRange.Of(first, count));
        }

        await MnHlistInvalidateEnd(cpu, mm, NotifierRange.Of(first, count));
    }

    /// <summary>mm/mmu_notifier.c: <c>mmu_notifier_invalidate_range_only_end</c> (4.15 to 6.5): the caller has invalidated already.</summary>
    [KernelName("mmu_notifier_invalidate_range_only_end")]
    public virtual async Proc InvalidateRangeOnlyEnd(Cpu cpu, Mm mm, int first, int count)
        => await MnHlistInvalidateEnd(cpu, mm, NotifierRange.Of(first, count));

    /// <summary>The mirror image that seed 000 proposes: the end that also invalidates.</summary>
    [KernelName("mmu_notifier_invalidate_range_end_full")]
    public virtual async Proc InvalidateRangeEndFull(Cpu cpu, Mm mm, int first, int count)
    {
        await InvalidateRange(cpu, mm, PageRange.Of(first, count));
        await MnHlistInvalidateEnd(cpu, mm, NotifierRange.Of(first, count));
    }

    /// <summary>mm/mmu_notifier.c: <c>mmu_notifier_invalidate_range</c>: may be called under spinlocks.</summary>
    [KernelName("mmu_notifier_invalidate_range")]
    public virtual async Proc InvalidateRange(Cpu cpu, Mm mm, PageRange range)
    {
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            await mm.Subscriptions[i].ArchInvalidateSecondaryTlbs(cpu, range);
        }
    }
}

/// <summary>The gather that goes with <see cref="InvalidateRangeNotifier"/> (4.19 to 6.5): each of its flushes tells the secondary TLBs.</summary>
public class InvalidateRangeGather(KernelModel kernel) : MmuGather(kernel)
{
    /// <summary>mm/mmu_gather.c: <c>tlb_flush_mmu_tlbonly</c>, whose end is <c>mmu_notifier_invalidate_range</c>.</summary>
    protected override async Proc TlbFlush(TlbGather tlb, ulong flags)
    {
        await base.TlbFlush(tlb, flags);
        if (tlb.Mm.HasNotifiers)
        {
            bool whole = (flags & (GatherWords.FullMm | GatherWords.NeedFlushAll)) != 0;
            PageRange range = whole ? PageRange.All : new PageRange(await tlb.Cpu.Load(tlb.Words.Range));
            await InvalidateRangeNotifier.Of(Kernel).InvalidateRange(tlb.Cpu, tlb.Mm, range);
        }
    }
}

/// <summary>
/// KSM of 4.14, the last one that tells the secondary TLBs from under the table's lock (mm/ksm.c: <c>ptep_clear_flush_notify</c>).
/// </summary>
/// <remarks>
/// 4.15 to 6.5 leave it to the end of the range (0f10851ea475). In between, another thread's write fault copies the page while a device
/// may still store to it. Until 5.8 <c>do_wp_page</c> waited for the page lock, which KSM holds; since 5.9 (09854ba94c6a) it copies at once, as in
/// <see cref="PageFault"/>, and the store is lost. In 6.6 and later every flush of an entry tells the secondary TLBs.
/// </remarks>
public class InvalidateRangeKsm(KernelModel kernel) : Ksm(kernel)
{
    /// <summary>include/linux/mmu_notifier.h: <c>ptep_clear_flush_notify</c> (to 6.5).</summary>
    [KernelName("ptep_clear_flush_notify")]
    protected override async Proc<Pte> PtepClearFlush(Cpu cpu, Mm mm, PageTable table, int address)
    {
        Pte old = await base.PtepClearFlush(cpu, mm, table, address);
        await InvalidateRangeNotifier.Of(Kernel).InvalidateRange(cpu, mm, PageRange.Of(address, 1));
        return old;
    }
}
