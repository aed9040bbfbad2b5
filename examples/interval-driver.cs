#:project ../src/Shootdown.Cli/Shootdown.Cli.csproj
#:property PublishAot=false
#:property Optimize=true

using Shootdown.Catalogue;
using Shootdown.Cli;
using Shootdown.Kernel;
using Shootdown.Machine;

return ShootdownApp.Check(new MyGpu(), args);

/// <summary>A driver with an interval notifier: the bug holds the driver's lock while it looks a page up.</summary>
sealed class MyGpu : DriverScenario
{
    public override string Id => "my-gpu";

    public override string Title => "a GPU driver with an interval notifier";

    public override string Property => "deadlock";

    public override SecondaryDriver NewDriver(KernelModel kernel, Mm mm, int pages, bool isBug)
        => new Driver(kernel, mm, PageRange.Of(0, pages), isBug);

    private sealed class Driver(KernelModel kernel, Mm mm, PageRange range, bool locksEarly) : IntervalDriver(kernel, mm, range, "gpu")
    {
        private readonly bool _locksEarly = locksEarly;

        /// <summary>Your mmu_interval_notifier_ops.invalidate.</summary>
        [KernelName("gpu_invalidate")]
        public override async Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
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
            for (int page = range.Pages.Start; page < range.Pages.End; page++)
            {
                await Mmu.SpteExchange(cpu, page, Pte.None, "gpu_clear_pte");
            }

            await Mmu.FlushTlbs(cpu, "gpu_flush_tlb");
            await cpu.MutexUnlock(DriverLock);
            return true;
        }

        /// <summary>Your fault handler. The device tries again when it returns true.</summary>
        [KernelName("gpu_fault")]
        public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
        {
            ulong seq = await Kernel.MmuInterval.MmuIntervalReadBegin(cpu, Interval);
            if (_locksEarly)
            {
                await cpu.MutexLock(DriverLock);
            }

            Pte entry = await HmmRangeFault(cpu, page, write);
            if (!_locksEarly)
            {
                await cpu.MutexLock(DriverLock);
            }

            if (entry.Present && !await Kernel.MmuInterval.MmuIntervalReadRetry(cpu, Interval, seq))
            {
                await Mmu.SpteExchange(cpu, page, Pte.Leaf(entry.Frame, write), "gpu_set_pte");
            }

            await cpu.MutexUnlock(DriverLock);
            return entry.Present;
        }
    }
}
