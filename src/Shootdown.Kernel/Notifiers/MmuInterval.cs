using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Interval notifiers (mm/mmu_notifier.c, since 5.5): a driver hears of invalidations of its range only, and the core keeps the sequence by which
/// a fault notices that one came between. The sequence of the tree is odd while an invalidation that overlaps some interval is in progress; an
/// interval whose sequence equals it is being invalidated.
/// </summary>
public class MmuInterval(KernelModel kernel) : Mechanism(kernel)
{
    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_interval_read_begin</c>: the start of a fault. Waits while the interval is being invalidated, so the caller must
    /// hold no lock that an invalidation may need.
    /// </summary>
    public virtual async Proc<ulong> MmuIntervalReadBegin(Cpu cpu, MmuIntervalNotifier interval)
    {
        IntervalTree tree = interval.Tree;
        await cpu.SpinLock(tree.Lock);
        ulong seq = await cpu.Load(interval.InvalidateSeq, weight: StepWeight.Context);
        bool isInvalidating = seq == await cpu.Load(tree.InvalidateSeq, weight: StepWeight.Context);
        await cpu.SpinUnlock(tree.Lock);
        if (isInvalidating)
        {
            await cpu.WaitEvent(tree.InvalidateSeq, Condition.NotEqual, seq);
        }

        return seq;
    }

    /// <summary>
    /// include/linux/mmu_notifier.h: <c>mmu_interval_read_retry</c>: true if what was looked up since the begin must not be used. Under the
    /// lock that the
    /// invalidate callback takes: else the answer is old when it is used.
    /// </summary>
    public virtual async Proc<bool> MmuIntervalReadRetry(Cpu cpu, MmuIntervalNotifier interval, ulong seq)
        => await cpu.Load(interval.InvalidateSeq, weight: StepWeight.Key) != seq;

    /// <summary>
    /// include/linux/mmu_notifier.h: <c>mmu_interval_set_seq</c>: the invalidate callback, under its lock, before it removes anything.
    /// </summary>
    public virtual async Proc MmuIntervalSetSeq(Cpu cpu, MmuIntervalNotifier interval, ulong seq)
        => await cpu.Store(interval.InvalidateSeq, seq, weight: StepWeight.Key);

    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_interval_notifier_insert</c>. While an invalidation is in progress the tree stays as it is, and the interval
    /// counts as
    /// being invalidated until that ends.
    /// </summary>
    public virtual async Proc MmuIntervalNotifierInsert(Cpu cpu, MmuIntervalNotifier interval)
    {
        IntervalTree tree = interval.Tree;
        await cpu.SpinLock(tree.Lock);
        ulong seq = await cpu.Load(tree.InvalidateSeq);
        if (await cpu.Load(tree.ActiveInvalidateRanges, weight: StepWeight.Context) == 0)
        {
            await cpu.Store(interval.InvalidateSeq, seq - 1, weight: StepWeight.Key);
            await Link(cpu, tree.Itree, interval.Bit, true);
        }
        else
        {
            await InsertDuringInvalidation(cpu, interval, seq);
        }

        await cpu.SpinUnlock(tree.Lock);
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mmu_interval_notifier_remove</c>: once it returned no callback of the interval runs or will. Waits for the end
    /// of an invalidation:
    /// the caller must hold no lock that an invalidation may need.
    /// </summary>
    public virtual async Proc MmuIntervalNotifierRemove(Cpu cpu, MmuIntervalNotifier interval)
    {
        IntervalTree tree = interval.Tree;
        await cpu.SpinLock(tree.Lock);
        ulong seq = await cpu.Load(tree.InvalidateSeq, weight: StepWeight.Context);
        bool waits = false;
        if ((seq & 1) == 0)
        {
            await Link(cpu, tree.Itree, interval.Bit, false);
        }
        else if ((await cpu.Load(tree.Itree) & interval.Bit) == 0)
        {
            await Link(cpu, tree.Deferred, interval.Bit, false);
        }
        else
        {
            await Link(cpu, tree.Deferred, interval.Bit, true);
            waits = true;
        }

        await cpu.SpinUnlock(tree.Lock);
        if (waits)
        {
            await cpu.WaitEvent(tree.InvalidateSeq, Condition.NotEqual, seq);
        }
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mn_itree_invalidate</c>: every interval that overlaps. False if one cannot answer without sleeping; the
    /// invalidation is over then.
    /// </summary>
    public virtual async Proc<bool> MnItreeInvalidate(Cpu cpu, Mm mm, NotifierRange range)
    {
        IntervalTree tree = mm.Intervals!;
        await cpu.SpinLock(tree.Lock);
        await cpu.AddReturn(tree.ActiveInvalidateRanges, 1);
        ulong overlapping = await cpu.Load(tree.Itree) & tree.Overlapping(range.Pages);
        ulong seq = await cpu.Load(tree.InvalidateSeq);
        if (overlapping != 0)
        {
            seq |= 1;
            await cpu.Store(tree.InvalidateSeq, seq, weight: StepWeight.Key);
        }

        await cpu.SpinUnlock(tree.Lock);
        for (int i = 0; i < tree.Intervals.Count; i++)
        {
            if ((overlapping & (1UL << i)) != 0 && !await CallInvalidate(cpu, tree.Intervals[i], range, seq))
            {
                await cpu.Assert(!range.Blockable, "a notifier fails only if its caller cannot sleep");
                await MnItreeInvEnd(cpu, mm);
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// One callback. One that must not sleep is atomic here, as that of the list is: Linux does not look at this
    /// (<c>non_block_start</c> stands around the list's only), and the OOM reaper, which calls, would wait for memory that only it can free.
    /// </summary>
    [KernelName]
    private static async Proc<bool> CallInvalidate(Cpu cpu, MmuIntervalNotifier interval, NotifierRange range, ulong seq)
    {
        await MmuNotifier.NonBlockStart(cpu, range);
        bool done = await interval.Invalidate(cpu, range, seq);
        await MmuNotifier.NonBlockEnd(cpu, range);
        return done;
    }

    /// <summary>
    /// mm/mmu_notifier.c: <c>mn_itree_inv_end</c>: the last of the invalidations in progress makes the sequence even and catches up with the
    /// tree.
    /// </summary>
    public virtual async Proc MnItreeInvEnd(Cpu cpu, Mm mm)
    {
        IntervalTree tree = mm.Intervals!;
        await cpu.SpinLock(tree.Lock);
        ulong active = await cpu.AddReturn(tree.ActiveInvalidateRanges, -1);
        if (active == ulong.MaxValue)
        {
            await cpu.Assert(false, "an invalidation that ends has begun");
        }

        ulong seq = await cpu.Load(tree.InvalidateSeq);
        if (active == 0 && (seq & 1) != 0)
        {
            await cpu.Store(tree.InvalidateSeq, seq + 1, weight: StepWeight.Key);
            ulong deferred = await cpu.Load(tree.Deferred);
            if (deferred != 0)
            {
                await cpu.Store(tree.Itree, await cpu.Load(tree.Itree) ^ deferred);
                await cpu.Store(tree.Deferred, 0);
            }
        }

        await cpu.SpinUnlock(tree.Lock);
    }

    /// <summary>
    /// mm/mmu_notifier.c: the part of <c>__mmu_interval_notifier_insert</c> for an invalidation in progress, under the tree's lock.
    /// </summary>
    protected virtual async Proc InsertDuringInvalidation(Cpu cpu, MmuIntervalNotifier interval, ulong seq)
    {
        IntervalTree tree = interval.Tree;
        if ((seq & 1) != 0)
        {
            await Link(cpu, tree.Deferred, interval.Bit, true);
            await cpu.Store(interval.InvalidateSeq, seq, weight: StepWeight.Key);
            return;
        }

        await cpu.Store(tree.InvalidateSeq, seq | 1, weight: StepWeight.Key);
        await cpu.Store(interval.InvalidateSeq, seq | 1, weight: StepWeight.Key);
        await Link(cpu, tree.Itree, interval.Bit, true);
    }

    /// <summary>Adds to the tree or the list of deferred changes, or takes off, under the tree's lock.</summary>
    [KernelName]
    protected async Proc Link(Cpu cpu, Word list, ulong bit, bool adds)
    {
        ulong old = await cpu.Load(list);
        await cpu.Store(list, adds ? old | bit : old & ~bit, weight: StepWeight.Context);
    }
}
