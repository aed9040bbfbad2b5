using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>A driver of a secondary MMU that has a <c>struct mmu_notifier</c>: callbacks for all of the address space.</summary>
public abstract class NotifierDriver : SecondaryDriver
{
    /// <summary>Makes the device and its subscription.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="name">Name for reports.</param>
    /// <param name="users">Users with TLBs of their own.</param>
    /// <param name="registration">Whether it is registered all the time.</param>
    protected NotifierDriver(
        KernelModel kernel, Mm mm, string name, int users = 1, NotifierRegistration registration = NotifierRegistration.Always)
        : base(kernel, mm, name, users) => Subscription = new Callbacks(this, registration);

    /// <summary>The notifier, for <see cref="MmuNotifierList"/>.</summary>
    public MmuNotifierSubscription Subscription { get; }

    /// <summary>True if it has an <c>invalidate_range_end</c>.</summary>
    public virtual bool HasInvalidateRangeEnd => true;

    /// <summary><c>invalidate_range_start</c>: see <see cref="MmuNotifierSubscription.InvalidateRangeStart"/>.</summary>
    public abstract Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range);

    /// <summary><c>invalidate_range_end</c>: see <see cref="MmuNotifierSubscription.InvalidateRangeEnd"/>.</summary>
    public virtual async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
    {
    }

    /// <summary>True if it has a <c>change_pte</c>.</summary>
    public virtual bool HasChangePte => false;

    /// <summary><c>change_pte</c>: see <see cref="MmuNotifierSubscription.ChangePte"/>.</summary>
    public virtual async Proc ChangePte(Cpu cpu, int page, Pte value)
    {
    }

    /// <summary><c>invalidate_page</c>: see <see cref="MmuNotifierSubscription.InvalidatePage"/>.</summary>
    public virtual async Proc InvalidatePage(Cpu cpu, int page)
    {
    }

    /// <summary><c>release</c>: see <see cref="MmuNotifierSubscription.Release"/>.</summary>
    public virtual async Proc Release(Cpu cpu)
    {
    }

    private sealed class Callbacks(NotifierDriver driver, NotifierRegistration registration)
        : MmuNotifierSubscription(driver.Kernel, driver.Mm, driver.Name, registration)
    {
        public override bool HasInvalidateRangeEnd => driver.HasInvalidateRangeEnd;

        public override Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range) => driver.InvalidateRangeStart(cpu, range);

        public override Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range) => driver.InvalidateRangeEnd(cpu, range);

        public override bool HasChangePte => driver.HasChangePte;

        public override Proc ChangePte(Cpu cpu, int page, Pte value) => driver.ChangePte(cpu, page, value);

        public override Proc InvalidatePage(Cpu cpu, int page) => driver.InvalidatePage(cpu, page);

        public override Proc Release(Cpu cpu) => driver.Release(cpu);
    }
}
