using Shootdown.Machine;

namespace Shootdown.Kernel;

/// <summary>
/// A driver with <c>invalidate_range_start</c> and <c>invalidate_range_end</c>: entries go at the start, and until the end none comes. What was
/// looked up before a start must not be entered after it, so ends are counted too (as ODP of RDMA did it before interval notifiers).
/// </summary>
public class StartEndDriver : NotifierDriver
{
    /// <summary>Makes the device.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="mm">The address space.</param>
    /// <param name="name">Name for reports.</param>
    /// <param name="registration">Whether it is registered all the time; if not, a program closes it.</param>
    public StartEndDriver(KernelModel kernel, Mm mm, string name = "device", NotifierRegistration registration = NotifierRegistration.Always)
        : base(kernel, mm, name, 1, registration, registration != NotifierRegistration.Always)
    {
        DriverLock = Machine.NewSpinLock($"{name}.lock");
        NotifiersCount = Machine.NewWord($"{name}.notifiers_count");
        NotifiersSeq = Machine.NewWord($"{name}.notifiers_seq");
    }

    /// <summary>
    /// Protects the device's entries and the two words below. A spinlock: whoever has an end must not fail, so the start must not sleep even if
    /// its caller allows it to.
    /// </summary>
    public Spinlock DriverLock { get; }

    /// <summary>Invalidations in progress.</summary>
    public Word NotifiersCount { get; }

    /// <summary>Invalidations that ended.</summary>
    public Word NotifiersSeq { get; }

    /// <inheritdoc/>
    public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
    {
        await cpu.SpinLock(DriverLock);
        await cpu.Store(NotifiersCount, await cpu.Load(NotifiersCount) + 1, weight: StepWeight.Key);
        await Unmap(cpu, range.Pages);
        await cpu.SpinUnlock(DriverLock);
        return true;
    }

    /// <inheritdoc/>
    public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
    {
        await cpu.SpinLock(DriverLock);
        await cpu.Store(NotifiersSeq, await cpu.Load(NotifiersSeq) + 1, weight: StepWeight.Key);
        await cpu.Store(NotifiersCount, await cpu.Load(NotifiersCount) - 1, weight: StepWeight.Key);
        await cpu.SpinUnlock(DriverLock);
    }

    /// <inheritdoc/>
    public override async Proc Release(Cpu cpu)
    {
        await cpu.SpinLock(DriverLock);
        await Unmap(cpu, PageRange.All);
        await cpu.SpinUnlock(DriverLock);
    }

    /// <inheritdoc/>
    [KernelName("device_fault")]
    public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
    {
        ulong seq = await cpu.Load(NotifiersSeq, MemoryOrder.Acquire, StepWeight.Key);
        Pte entry = await GetUserPage(cpu, page, write);
        if (!entry.Present)
        {
            return false;
        }

        await cpu.SpinLock(DriverLock);
        bool busy = await cpu.Load(NotifiersCount, weight: StepWeight.Key) != 0;
        if (!busy && await cpu.Load(NotifiersSeq) == seq)
        {
            await Mmu.SpteExchange(cpu, page, Pte.Leaf(entry.Frame, write), "set_device_pte");
        }

        await cpu.SpinUnlock(DriverLock);
        if (busy)
        {
            await cpu.WaitEvent(NotifiersCount, Condition.Equal, 0);
        }

        return true;
    }

    /// <summary>Entries go, and the device is told before anybody goes on; under the lock.</summary>
    [KernelName("device_unmap")]
    protected async Proc Unmap(Cpu cpu, PageRange range)
    {
        if (await ZapSptes(cpu, range, "clear_device_pte"))
        {
            await Mmu.FlushTlbs(cpu, "flush_device_tlb");
        }
    }
}
