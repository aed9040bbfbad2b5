using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// A driver of a secondary MMU with an interval notifier, as GPUs and RDMA devices have it (Documentation/mm/hmm.rst, 5.5 and later): the core
/// keeps count and sequence, and the driver has one lock, which its callback and the last part of its fault take.
/// </summary>
public class IntervalDriver : SecondaryDriver
{
    /// <summary>Makes the device and its notifier.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="pages">The range that the device may use.</param>
    /// <param name="name">Name for reports.</param>
    /// <param name="inserted">True if the notifier is in the tree from the first state on; else a program inserts it.</param>
    /// <param name="closes">True if a program calls <see cref="Close"/>: a callback behind its end is an error then.</param>
    public IntervalDriver(KernelModel kernel, Mm mm, PageRange pages, string name = "gpu", bool inserted = true, bool closes = false)
        : base(kernel, mm, name, 1)
    {
        DriverLock = Machine.NewMutex($"{name}.lock");
        Interval = new Callback(this, pages, inserted);
        Closed = closes ? Machine.NewWord($"{name}.closed") : null;
    }

    /// <summary>Makes the device, whose notifier is in the tree all the time or is inserted and removed by programs.</summary>
    public IntervalDriver(KernelModel kernel, Mm mm, PageRange pages, NotifierRegistration registration)
        : this(kernel, mm, pages, "gpu", registration != NotifierRegistration.Unregistered, registration != NotifierRegistration.Always)
    {
    }

    /// <summary>1 once the driver is gone; null if no program closes it.</summary>
    protected Word? Closed { get; }

    /// <summary>The lock of the device's page table.</summary>
    public KernelMutex DriverLock { get; }

    /// <summary>The notifier.</summary>
    public MmuIntervalNotifier Interval { get; }

    /// <summary><c>mmu_interval_notifier_ops.invalidate</c>.</summary>
    [KernelName("gpu_invalidate")]
    public virtual async Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
    {
        if (range.Blockable)
        {
            await cpu.MutexLock(DriverLock);
        }
        else if (await cpu.MutexTryLock(DriverLock) == 0)
        {
            return false;
        }

        await Kernel.MmuInterval.MmuIntervalSetSeq(cpu, Interval, seq);
        await Unmap(cpu, range.Pages);
        await cpu.MutexUnlock(DriverLock);
        return true;
    }

    /// <inheritdoc/>
    [KernelName("gpu_fault")]
    public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
    {
        ulong seq = await Kernel.MmuInterval.MmuIntervalReadBegin(cpu, Interval);
        Pte entry = await HmmRangeFault(cpu, page, write);
        if (!entry.Present)
        {
            return false;
        }

        await cpu.MutexLock(DriverLock);
        if (!await Kernel.MmuInterval.MmuIntervalReadRetry(cpu, Interval, seq))
        {
            await Map(cpu, page, entry, write);
        }

        await cpu.MutexUnlock(DriverLock);
        return true;
    }

    /// <inheritdoc/>
    public override Proc Open(Cpu cpu) => Kernel.MmuInterval.MmuIntervalNotifierInsert(cpu, Interval);

    /// <summary>
    /// The driver's release: the device is stopped, its entries go, then its interval. In this order: pages that an entry maps are protected by
    /// the interval only. What the callback uses is freed when this returns.
    /// </summary>
    [KernelName("gpu_close")]
    public override async Proc Close(Cpu cpu)
    {
        await cpu.MutexLock(DriverLock);
        await Unmap(cpu, PageRange.All);
        await cpu.MutexUnlock(DriverLock);
        await Kernel.MmuInterval.MmuIntervalNotifierRemove(cpu, Interval);
        if (Closed is not null)
        {
            await cpu.Store(Closed, 1);
        }
    }

    /// <summary>
    /// mm/hmm.c: <c>hmm_range_fault</c> of one page, with the mmap_lock that its callers take: what maps the page, faulted in if it must be,
    /// without a
    /// reference; none if the access is not allowed.
    /// </summary>
    protected virtual async Proc<Pte> HmmRangeFault(Cpu cpu, int page, bool write)
    {
        while (true)
        {
            await Kernel.MmapLock.MmapReadLock(cpu, Mm);
            bool isMapped = (await Kernel.MmapLock.FindVma(cpu, Mm)).Covers(page, 1);
            Pte entry = isMapped ? await FollowPage(cpu, page, write) : Pte.None;
            await Kernel.MmapLock.MmapReadUnlock(cpu, Mm);
            if (entry.Present || !await Kernel.PageFault.HandleMmFault(cpu, Mm, page, write))
            {
                return entry;
            }
        }
    }

    /// <summary>The device may use the page from here on; under the lock.</summary>
    [KernelName("gpu_map")]
    protected async Proc Map(Cpu cpu, int page, Pte entry, bool write)
        => await Mmu.SpteExchange(cpu, page, Pte.Leaf(entry.Frame, write), "set_gpu_pte");

    /// <summary>Entries of a range go, and the device is told before anybody goes on; under the lock.</summary>
    [KernelName("gpu_unmap")]
    protected async Proc Unmap(Cpu cpu, PageRange range)
    {
        if (await ZapSptes(cpu, range, "clear_gpu_pte"))
        {
            await Mmu.FlushTlbs(cpu, "flush_gpu_tlb");
        }
    }

    private sealed class Callback(IntervalDriver driver, PageRange pages, bool inserted)
        : MmuIntervalNotifier(driver.Kernel, driver.Mm, pages, driver.Name, inserted)
    {
        private readonly IntervalDriver _driver = driver;

        public override Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
            => _driver.Closed is null ? _driver.Invalidate(cpu, range, seq) : InvalidateLive(cpu, range, seq);

        [KernelName]
        private async Proc<bool> InvalidateLive(Cpu cpu, NotifierRange range, ulong seq)
        {
            await cpu.Assert(await cpu.Load(_driver.Closed!) == 0, "no callback begins behind mmu_interval_notifier_remove()");
            bool done = await _driver.Invalidate(cpu, range, seq);
            await cpu.Assert(await cpu.Load(_driver.Closed!) == 0, "no callback is under way behind mmu_interval_notifier_remove()");
            return done;
        }
    }
}
