using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// A driver's interest in a range of an address space (<c>struct mmu_interval_notifier</c>). Derive, write the callback, and make one
/// while the machine is built.
/// </summary>
public abstract class MmuIntervalNotifier : MachineHandle
{
    /// <summary>Makes an interval notifier.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="pages">The range.</param>
    /// <param name="name">Name for reports.</param>
    /// <param name="inserted">True if it is in the tree from the first state on; else a program inserts it.</param>
    protected MmuIntervalNotifier(KernelModel kernel, Mm mm, PageRange pages, string name, bool inserted = true)
        : base(RequireKernel(kernel).Machine)
    {
        ArgumentNullException.ThrowIfNull(mm);
        MmuNotifierSubscription.RequireNoPrograms(Machine);
        Kernel = kernel;
        Mm = mm;
        Pages = pages;
        Name = name;
        Tree = mm.MakeIntervals();
        Bit = Tree.Add(this, inserted);
        InvalidateSeq = Machine.NewWord($"{name}.invalidate_seq", 1);
    }

    /// <summary>The kernel.</summary>
    public KernelModel Kernel { get; }

    /// <summary>The address space.</summary>
    public Mm Mm { get; }

    /// <summary>The range.</summary>
    public PageRange Pages { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>The tree of its address space.</summary>
    public IntervalTree Tree { get; }

    /// <summary>Its bit in the words of the tree.</summary>
    public ulong Bit { get; }

    /// <summary><c>interval_sub->invalidate_seq</c>: the tree's sequence at the last invalidation of the interval; always odd.</summary>
    public Word InvalidateSeq { get; }

    /// <summary>
    /// <c>invalidate</c>: takes the driver's lock, calls <see cref="MmuInterval.MmuIntervalSetSeq"/>, and removes the range from the device.
    /// False (-EAGAIN)
    /// only if the caller cannot sleep.
    /// </summary>
    public abstract Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq);

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static KernelModel RequireKernel(KernelModel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return kernel;
    }
}

/// <summary>The interval notifiers of an address space (the interval part of <c>struct mmu_notifier_subscriptions</c>).</summary>
public sealed class IntervalTree : MachineHandle
{
    private readonly List<MmuIntervalNotifier> _intervals = [];

    internal IntervalTree(MachineModel machine, string name)
        : base(machine)
    {
        Lock = machine.NewSpinLock("subscriptions.lock");
        InvalidateSeq = machine.NewWord($"{name}.invalidate_seq", 2);
        ActiveInvalidateRanges = machine.NewWord($"{name}.active_invalidate_ranges");
        Itree = machine.NewWord($"{name}.itree");
        Deferred = machine.NewWord($"{name}.deferred_list");
    }

    /// <summary><c>subscriptions->lock</c>: protects the words.</summary>
    public Spinlock Lock { get; }

    /// <summary><c>subscriptions->invalidate_seq</c>: starts at 2, odd while an interval is being invalidated.</summary>
    public Word InvalidateSeq { get; }

    /// <summary><c>subscriptions->active_invalidate_ranges</c>: invalidations in progress, whether they meet an interval or not.</summary>
    public Word ActiveInvalidateRanges { get; }

    /// <summary><c>subscriptions->itree</c>: the bits of the intervals in the tree.</summary>
    public Word Itree { get; }

    /// <summary><c>subscriptions->deferred_list</c>: intervals to insert, if they are not in the tree, or to remove, if they are.</summary>
    public Word Deferred { get; }

    /// <summary>All intervals, in the tree or not.</summary>
    public IReadOnlyList<MmuIntervalNotifier> Intervals => _intervals;

    /// <summary>The bits of all intervals that overlap a range.</summary>
    public ulong Overlapping(PageRange range)
    {
        ulong bits = 0;
        foreach (MmuIntervalNotifier interval in _intervals)
        {
            bits |= interval.Pages.Start < range.End && range.Start < interval.Pages.End ? interval.Bit : 0;
        }

        return bits;
    }

    internal ulong Add(MmuIntervalNotifier interval, bool inserted)
    {
        ulong bit = 1UL << _intervals.Count;
        _intervals.Add(interval);
        Machine.SetInitial(Itree.Address, Machine.WordInfo(Itree.Address).Initial | (inserted ? bit : 0));
        return bit;
    }
}
