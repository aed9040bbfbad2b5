using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Calls of the notifiers of an address space (mm/mmu_notifier.c, 6.12). Callers ask <see cref="Mm.HasNotifiers"/> first, as
/// the kernel asks <c>mm_has_notifiers</c>: without subscriptions nothing of this is a step.
/// </summary>
/// <remarks>
/// Since 6.6 TLBs that share the CPUs' page tables are invalidated from the flush of the CPUs' own; up to 6.5
/// <c>invalidate_range</c> was called here, from <c>invalidate_range_end</c>, and by some callers from under the table's lock.
/// </remarks>
public class MmuNotifier(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>mm/mmu_notifier.c: <c>mmu_notifier_invalidate_range_start</c>. May sleep.</summary>
    [KernelName("mmu_notifier_invalidate_range_start")]
    public virtual async Proc InvalidateRangeStart(Cpu cpu, Mm mm, int first, int count)
        => await Start(cpu, mm, NotifierRange.Of(first, count));

    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_notifier_invalidate_range_start_nonblock</c>: false if a subscriber cannot answer without
    /// sleeping; the caller must then leave the range alone, and must not call the end.
    /// </summary>
    [KernelName("mmu_notifier_invalidate_range_start_nonblock")]
    public virtual async Proc<bool> InvalidateRangeStartNonblock(Cpu cpu, Mm mm, int first, int count)
        => await Start(cpu, mm, new NotifierRange(PageRange.Of(first, count), false));

    /// <summary>mm/mmu_notifier.c: <c>mmu_notifier_invalidate_range_end</c>.</summary>
    [KernelName("mmu_notifier_invalidate_range_end")]
    public virtual async Proc InvalidateRangeEnd(Cpu cpu, Mm mm, int first, int count)
    {
        if (mm.Intervals is not null)
        {
            await Kernel.MmuInterval.MnItreeInvEnd(cpu, mm);
        }

        if (mm.Subscriptions.Count > 0)
        {
            await MnHlistInvalidateEnd(cpu, mm, NotifierRange.Of(first, count));
        }
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_notifier_arch_invalidate_secondary_tlbs</c>: called from <c>flush_tlb_mm_range</c> and
    /// <c>arch_tlbbatch_add_pending</c>, often under the table's lock.
    /// </summary>
    [KernelName("mmu_notifier_arch_invalidate_secondary_tlbs")]
    public virtual async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, Mm mm, PageRange range)
    {
        int section = await ReadLock(cpu, mm);
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            if (await IsListed(cpu, mm, i))
            {
                await mm.Subscriptions[i].ArchInvalidateSecondaryTlbs(cpu, range);
            }
        }

        await ReadUnlock(cpu, mm, section);
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_notifier_release</c>, from <c>exit_mmap</c> before anything is unmapped.
    /// </summary>
    [KernelName("mmu_notifier_release")]
    public virtual async Proc Release(Cpu cpu, Mm mm)
    {
        if (mm.Intervals is not null)
        {
            await MnItreeRelease(cpu, mm);
        }

        if (mm.NotifierList is not null)
        {
            await Kernel.MmuNotifierList.MnHlistRelease(cpu, mm);
            return;
        }

        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            await mm.Subscriptions[i].Release(cpu);
        }
    }

    /// <summary>mm/mmu_notifier.c: <c>mn_itree_release</c>: to an interval the exit is one more invalidation.</summary>
    protected virtual async Proc MnItreeRelease(Cpu cpu, Mm mm)
    {
        await Kernel.MmuInterval.MnItreeInvalidate(cpu, mm, NotifierRange.Of(0, Machine.Paging.PageCount));
        await Kernel.MmuInterval.MnItreeInvEnd(cpu, mm);
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mn_hlist_invalidate_range_start</c>. If one subscriber fails, all others are called
    /// nevertheless, and then every end that there is, for nobody else would call it: also that of the one that failed, so it must not
    /// have any.
    /// </summary>
    protected virtual async Proc<bool> MnHlistInvalidateRangeStart(Cpu cpu, Mm mm, NotifierRange range)
    {
        int section = await ReadLock(cpu, mm);
        bool failed = false;
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            if (await IsListed(cpu, mm, i) && !await CallStart(cpu, mm.Subscriptions[i], range))
            {
                failed = true;
                await WarnOnFailure(cpu, mm.Subscriptions[i], range);
            }
        }

        for (int i = 0; failed && i < mm.Subscriptions.Count; i++)
        {
            if (mm.Subscriptions[i].HasInvalidateRangeEnd && await IsListed(cpu, mm, i))
            {
                await mm.Subscriptions[i].InvalidateRangeEnd(cpu, range);
            }
        }

        await ReadUnlock(cpu, mm, section);
        return !failed;
    }

    /// <summary>The two <c>WARN_ON</c> of <c>mn_hlist_invalidate_range_start</c>.</summary>
    [KernelName]
    private static async Proc WarnOnFailure(Cpu cpu, MmuNotifierSubscription subscription, NotifierRange range)
    {
        if (range.Blockable)
        {
            await cpu.Assert(false, "a notifier fails only if its caller cannot sleep");
        }

        if (subscription.HasInvalidateRangeEnd)
        {
            await cpu.Assert(false, "a notifier whose start fails has no end: that would be called for the start that failed");
        }
    }

    /// <summary>include/linux/kernel.h: <c>non_block_start</c>: from here on a callback whose caller cannot sleep must not either.</summary>
    [KernelName]
    internal static async Proc NonBlockStart(Cpu cpu, NotifierRange range)
    {
        if (!range.Blockable)
        {
            await cpu.PreemptDisable();
        }
    }

    /// <summary>include/linux/kernel.h: <c>non_block_end</c>.</summary>
    [KernelName]
    internal static async Proc NonBlockEnd(Cpu cpu, NotifierRange range)
    {
        if (!range.Blockable)
        {
            await cpu.PreemptEnable();
        }
    }

    /// <summary>One callback of the start.</summary>
    [KernelName]
    private static async Proc<bool> CallStart(Cpu cpu, MmuNotifierSubscription subscription, NotifierRange range)
    {
        await NonBlockStart(cpu, range);
        bool done = await subscription.InvalidateRangeStart(cpu, range);
        await NonBlockEnd(cpu, range);
        return done;
    }

    /// <summary>mm/mmu_notifier.c: <c>mn_hlist_invalidate_end</c>.</summary>
    protected virtual async Proc MnHlistInvalidateEnd(Cpu cpu, Mm mm, NotifierRange range)
    {
        int section = await ReadLock(cpu, mm);
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            if (mm.Subscriptions[i].HasInvalidateRangeEnd && await IsListed(cpu, mm, i))
            {
                await mm.Subscriptions[i].InvalidateRangeEnd(cpu, range);
            }
        }

        await ReadUnlock(cpu, mm, section);
    }

    /// <summary>The <c>srcu_read_lock</c> around a walk of the list; no step if no program changes the list.</summary>
    [KernelName]
    protected virtual async Proc<int> ReadLock(Cpu cpu, Mm mm) => mm.NotifierList is { } list ? await cpu.SrcuReadLock(list.Srcu) : 0;

    /// <summary>The <c>srcu_read_unlock</c> behind a walk of the list.</summary>
    [KernelName]
    protected virtual async Proc ReadUnlock(Cpu cpu, Mm mm, int section)
    {
        if (mm.NotifierList is { } list)
        {
            await cpu.SrcuReadUnlock(list.Srcu, section);
        }
    }

    /// <summary>True if the walk of the list (<c>hlist_for_each_entry_srcu</c>) comes to the subscription.</summary>
    [KernelName]
    protected static async Proc<bool> IsListed(Cpu cpu, Mm mm, int index)
    {
        ArgumentNullException.ThrowIfNull(mm);
        return mm.NotifierList is not { } list || (await cpu.Load(list.List, weight: StepWeight.Context) & (1UL << index)) != 0;
    }

    /// <summary>mm/mmu_notifier.c: <c>__mmu_notifier_invalidate_range_start</c>: intervals first.</summary>
    [KernelName]
    private async Proc<bool> Start(Cpu cpu, Mm mm, NotifierRange range)
    {
        if (mm.Intervals is not null && !await Kernel.MmuInterval.MnItreeInvalidate(cpu, mm, range))
        {
            return false;
        }

        bool done = mm.Subscriptions.Count == 0 || await MnHlistInvalidateRangeStart(cpu, mm, range);
        if (!done && mm.Intervals is not null)
        {
            await EndIntervals(cpu, mm);
        }

        return done;
    }

    /// <summary>
    /// The end for intervals where a notifier of the list failed, so that the caller must not call it. Linux 6.1 leaves it out
    /// (scenario <c>nonblock-start-leaves-intervals</c>).
    /// </summary>
    [KernelName("mn_itree_inv_end")]
    protected virtual async Proc EndIntervals(Cpu cpu, Mm mm) => await Kernel.MmuInterval.MnItreeInvEnd(cpu, mm);
}
