using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// Who wants to be told before translations of an address space go (<c>struct mmu_notifier</c> with its
/// <c>mmu_notifier_ops</c>, include/linux/mmu_notifier.h): the driver of a device with page tables or TLBs of its own. Derive,
/// override the callbacks that the driver has, and make one while the machine is built.
/// </summary>
public abstract class MmuNotifierSubscription : MachineHandle
{
    /// <summary>Makes a subscription to an address space.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="name">Name for reports.</param>
    /// <param name="registration">
    /// By default it is subscribed from the first state to the last, and its list costs nothing; else programs change the list
    /// (<see cref="MmuNotifierList"/>).
    /// </param>
    protected MmuNotifierSubscription(
        KernelModel kernel, Mm mm, string name, NotifierRegistration registration = NotifierRegistration.Always)
        : base(RequireKernel(kernel).Machine)
    {
        ArgumentNullException.ThrowIfNull(mm);
        Kernel = kernel;
        Mm = mm;
        Name = name;
        Bit = 1UL << mm.Subscriptions.Count;
        RequireNoPrograms(Machine);
        mm.AddSubscription(this);
        if (registration != NotifierRegistration.Always)
        {
            kernel.BuildNotifierList(mm, registration == NotifierRegistration.Registered ? Bit : 0);
        }
    }

    /// <summary>The kernel.</summary>
    public KernelModel Kernel { get; }

    /// <summary>The address space that it is subscribed to.</summary>
    public Mm Mm { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>Its bit in the list of <see cref="NotifierListWords"/>.</summary>
    public ulong Bit { get; }

    /// <summary>
    /// True if it has an <c>invalidate_range_end</c>. One that has must not fail in <see cref="InvalidateRangeStart"/>: its end
    /// would be called all the same.
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

    /// <summary>
    /// <c>invalidate_page</c> (2.6.27 to 4.13): one page's entry was cleared, and the CPUs' TLBs were flushed. Which locks are held
    /// differs by caller and version.
    /// </summary>
    public virtual async Proc InvalidatePage(Cpu cpu, int page)
    {
    }

    /// <summary>True if it has a <c>change_pte</c>; KVM's was the only one.</summary>
    public virtual bool HasChangePte => false;

    /// <summary>
    /// <c>change_pte</c> (2.6.32 to 6.9): the page's entry, which is cleared and flushed by now, is about to become
    /// <paramref name="value"/>. Called under the table's lock: must not sleep.
    /// </summary>
    public virtual async Proc ChangePte(Cpu cpu, int page, Pte value)
    {
    }

    /// <summary><c>release</c>: the address space goes; nothing of it may be used once this returned. May sleep.</summary>
    public virtual async Proc Release(Cpu cpu)
    {
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    /// <summary>A program runs to its first step when it is added, and asks whether there are notifiers.</summary>
    internal static void RequireNoPrograms(MachineModel machine)
    {
        if (machine.Agents.Any(agent => agent.Kind == AgentKind.Task))
        {
            throw new InvalidOperationException("make notifiers, and drivers that have one, before the first program is added");
        }
    }

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

/// <summary>When a subscription is on the list of its address space.</summary>
public enum NotifierRegistration
{
    /// <summary>From the first state to the last.</summary>
    Always,

    /// <summary>In the first state; programs may take it off.</summary>
    Registered,

    /// <summary>Once a program has registered it.</summary>
    Unregistered,
}
