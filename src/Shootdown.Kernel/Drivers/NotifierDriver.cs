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
    /// <param name="closes">True if a program calls <see cref="Close"/>: a callback behind its end is an error then.</param>
    protected NotifierDriver(
        KernelModel kernel, Mm mm, string name, int users = 1, NotifierRegistration registration = NotifierRegistration.Always, bool closes = false)
        : base(kernel, mm, name, users)
    {
        Subscription = new Callbacks(this, registration);
        Closed = closes ? Machine.NewWord($"{name}.closed") : null;
    }

    /// <summary>1 once the driver is gone; null if no program closes it.</summary>
    protected Word? Closed { get; }

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

    /// <inheritdoc/>
    public override Proc Open(Cpu cpu) => Kernel.MmuNotifierList.MmuNotifierRegister(cpu, Subscription);

    /// <inheritdoc/>
    public override async Proc Close(Cpu cpu)
    {
        await Kernel.MmuNotifierList.MmuNotifierUnregister(cpu, Subscription);
        if (Closed is not null)
        {
            await cpu.Store(Closed, 1);
        }
    }

    private sealed class Callbacks(NotifierDriver driver, NotifierRegistration registration)
        : MmuNotifierSubscription(driver.Kernel, driver.Mm, driver.Name, registration)
    {
        private readonly NotifierDriver _driver = driver;

        public override bool HasInvalidateRangeEnd => _driver.HasInvalidateRangeEnd;

        public override Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
            => _driver.Closed is null ? _driver.InvalidateRangeStart(cpu, range) : StartLive(cpu, range);

        public override Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
            => _driver.Closed is null ? _driver.InvalidateRangeEnd(cpu, range) : EndLive(cpu, range);

        public override bool HasChangePte => _driver.HasChangePte;

        public override Proc ChangePte(Cpu cpu, int page, Pte value) => _driver.ChangePte(cpu, page, value);

        public override Proc InvalidatePage(Cpu cpu, int page) => _driver.InvalidatePage(cpu, page);

        public override Proc Release(Cpu cpu) => _driver.Closed is null ? _driver.Release(cpu) : ReleaseLive(cpu);

        [KernelName]
        private async Proc<bool> StartLive(Cpu cpu, NotifierRange range)
        {
            await AssertLive(cpu);
            bool done = await _driver.InvalidateRangeStart(cpu, range);
            await AssertLive(cpu);
            return done;
        }

        [KernelName]
        private async Proc EndLive(Cpu cpu, NotifierRange range)
        {
            await AssertLive(cpu);
            await _driver.InvalidateRangeEnd(cpu, range);
            await AssertLive(cpu);
        }

        [KernelName]
        private async Proc ReleaseLive(Cpu cpu)
        {
            await AssertLive(cpu);
            await _driver.Release(cpu);
            await AssertLive(cpu);
        }

        [KernelName]
        private async Proc AssertLive(Cpu cpu)
            => await cpu.Assert(await cpu.Load(_driver.Closed!) == 0, "no callback runs behind mmu_notifier_unregister()");
    }
}
