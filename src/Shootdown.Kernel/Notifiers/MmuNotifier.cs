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
        => await MnHlistInvalidateRangeStart(cpu, mm, NotifierRange.Of(first, count));

    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_notifier_invalidate_range_start_nonblock</c>: false if a subscriber cannot answer without
    /// sleeping; the caller must then leave the range alone, and must not call the end.
    /// </summary>
    [KernelName("mmu_notifier_invalidate_range_start_nonblock")]
    public virtual async Proc<bool> InvalidateRangeStartNonblock(Cpu cpu, Mm mm, int first, int count)
        => await MnHlistInvalidateRangeStart(cpu, mm, new NotifierRange(PageRange.Of(first, count), false));

    /// <summary>mm/mmu_notifier.c: <c>mmu_notifier_invalidate_range_end</c>.</summary>
    [KernelName("mmu_notifier_invalidate_range_end")]
    public virtual async Proc InvalidateRangeEnd(Cpu cpu, Mm mm, int first, int count)
        => await MnHlistInvalidateEnd(cpu, mm, NotifierRange.Of(first, count));

    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_notifier_arch_invalidate_secondary_tlbs</c>: called from <c>flush_tlb_mm_range</c> and
    /// <c>arch_tlbbatch_add_pending</c>, often under the table's lock.
    /// </summary>
    [KernelName("mmu_notifier_arch_invalidate_secondary_tlbs")]
    public virtual async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, Mm mm, PageRange range)
    {
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            await mm.Subscriptions[i].ArchInvalidateSecondaryTlbs(cpu, range);
        }
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_notifier_release</c>, from <c>exit_mmap</c> before anything is unmapped.
    /// </summary>
    [KernelName("mmu_notifier_release")]
    public virtual async Proc Release(Cpu cpu, Mm mm)
    {
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            await mm.Subscriptions[i].Release(cpu);
        }
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mn_hlist_invalidate_range_start</c>. If one subscriber fails, all others are called
    /// nevertheless, and then the end of those that have one: nobody else would call it.
    /// </summary>
    protected virtual async Proc<bool> MnHlistInvalidateRangeStart(Cpu cpu, Mm mm, NotifierRange range)
    {
        ulong failed = 0;
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            failed |= await mm.Subscriptions[i].InvalidateRangeStart(cpu, range) ? 0 : 1UL << i;
        }

        if (failed == 0)
        {
            return true;
        }

        await cpu.Assert(!range.Blockable, "a notifier fails only if its caller cannot sleep");
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            if ((failed & (1UL << i)) == 0 && mm.Subscriptions[i].HasInvalidateRangeEnd)
            {
                await mm.Subscriptions[i].InvalidateRangeEnd(cpu, range);
            }
        }

        return false;
    }

    /// <summary>mm/mmu_notifier.c: <c>mn_hlist_invalidate_end</c>.</summary>
    protected virtual async Proc MnHlistInvalidateEnd(Cpu cpu, Mm mm, NotifierRange range)
    {
        for (int i = 0; i < mm.Subscriptions.Count; i++)
        {
            if (mm.Subscriptions[i].HasInvalidateRangeEnd)
            {
                await mm.Subscriptions[i].InvalidateRangeEnd(cpu, range);
            }
        }
    }
}
