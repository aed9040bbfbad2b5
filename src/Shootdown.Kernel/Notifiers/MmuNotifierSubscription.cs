using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Who wants to be told before translations of an address space go (<c>struct mmu_notifier</c> with its
/// <c>mmu_notifier_ops</c>, include/linux/mmu_notifier.h): the driver of a device with page tables or TLBs of its own. Derive,
/// override the callbacks that the driver has, and make one while the machine is built.
/// </summary>
public abstract class MmuNotifierSubscription : MachineHandle
{
    /// <summary>Subscribes to an address space from the first state on.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="name">Name for reports.</param>
    protected MmuNotifierSubscription(KernelModel kernel, Mm mm, string name)
        : base(RequireKernel(kernel).Machine)
    {
        ArgumentNullException.ThrowIfNull(mm);
        Kernel = kernel;
        Mm = mm;
        Name = name;
        mm.AddSubscription(this);
    }

    /// <summary>The kernel.</summary>
    public KernelModel Kernel { get; }

    /// <summary>The address space that it is subscribed to.</summary>
    public Mm Mm { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>
    /// True if it has an <c>invalidate_range_end</c>. One that has must not fail in <see cref="InvalidateRangeStart"/>: nobody
    /// would call its end.
    /// </summary>
    public virtual bool HasInvalidateRangeEnd => true;

    /// <summary>
    /// <c>invalidate_range_start</c>: entries of the range are about to change, and may until
    /// <see cref="InvalidateRangeEnd"/>. False is -EAGAIN, which only a caller that cannot sleep accepts.
    /// </summary>
    public virtual async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range) => true;

    /// <summary><c>invalidate_range_end</c>: entries of the range changed, and CPUs' TLBs were flushed or will be by a batch.</summary>
    public virtual async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
    {
    }

    /// <summary>
    /// <c>arch_invalidate_secondary_tlbs</c> (<c>invalidate_range</c> before 6.6): TLBs that fill themselves from the CPUs' page
    /// tables must drop the range before this returns. Called under spinlocks: must not sleep.
    /// </summary>
    public virtual async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
    {
    }

    /// <summary><c>release</c>: the address space goes; nothing of it may be used once this returned. May sleep.</summary>
    public virtual async Proc Release(Cpu cpu)
    {
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static KernelModel RequireKernel(KernelModel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        return kernel;
    }
}

/// <summary>What a notifier is told (<c>struct mmu_notifier_range</c>).</summary>
/// <param name="Pages">The pages.</param>
/// <param name="Blockable">False if the caller must not sleep (the OOM reaper).</param>
public readonly record struct NotifierRange(PageRange Pages, bool Blockable)
{
    /// <summary>A range whose caller may sleep.</summary>
    public static NotifierRange Of(int first, int count) => new(PageRange.Of(first, count), true);
}
