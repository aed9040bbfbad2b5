#:project ../src/Shootdown.Cli/Shootdown.Cli.csproj
#:property PublishAot=false
#:property Optimize=true

using Shootdown.Catalogue;
using Shootdown.Cli;
using Shootdown.Kernel;
using Shootdown.Machine;

return ShootdownApp.Check(new MyDevice(), args);

/// <summary>A driver with invalidate_range_start and _end: in the bug a signal ends the wait for the device's engine.</summary>
sealed class MyDevice : DriverScenario
{
    public override string Id => "my-device";

    public override string Title => "a driver with invalidate_range_start and _end";

    public override SecondaryDriver NewDriver(KernelModel kernel, Mm mm, int pages, bool isBug) => new Driver(kernel, mm, isBug);

    private sealed class Driver : NotifierDriver
    {
        private readonly Spinlock _lock;
        private readonly Word _active;
        private readonly Word _seq;
        private readonly bool _waitsInterruptibly;

        public Driver(KernelModel kernel, Mm mm, bool waitsInterruptibly)
            : base(kernel, mm, "dev")
        {
            _waitsInterruptibly = waitsInterruptibly;
            _lock = Machine.NewSpinLock("dev.lock");
            _active = Machine.NewWord("dev.active_invalidations");
            _seq = Machine.NewWord("dev.invalidate_seq");
        }

        /// <summary>Your mmu_notifier_ops.invalidate_range_start.</summary>
        [KernelName("dev_invalidate_range_start")]
        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            await cpu.SpinLock(_lock);
            await cpu.Store(_active, await cpu.Load(_active) + 1);
            for (int page = range.Pages.Start; page < range.Pages.End; page++)
            {
                await Mmu.SpteExchange(cpu, page, Pte.None, "dev_clear_pte");
            }

            await cpu.SpinUnlock(_lock);
            if (_waitsInterruptibly && range.Blockable && await cpu.Choose(2, "whether a signal comes") == 1)
            {
                return true;
            }

            await Mmu.FlushTlbs(cpu, "dev_wait_for_engine");
            return true;
        }

        /// <summary>Your mmu_notifier_ops.invalidate_range_end.</summary>
        [KernelName("dev_invalidate_range_end")]
        public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
        {
            await cpu.SpinLock(_lock);
            await cpu.Store(_seq, await cpu.Load(_seq) + 1);
            await cpu.Store(_active, await cpu.Load(_active) - 1);
            await cpu.SpinUnlock(_lock);
        }

        /// <summary>Your mmu_notifier_ops.release: the process exits, and nobody will call the two above any more.</summary>
        [KernelName("dev_release")]
        public override async Proc Release(Cpu cpu)
        {
            await cpu.SpinLock(_lock);
            for (int page = 0; page < Machine.Paging.PageCount; page++)
            {
                await Mmu.SpteExchange(cpu, page, Pte.None, "dev_clear_pte");
            }

            await cpu.SpinUnlock(_lock);
            await Mmu.FlushTlbs(cpu, "dev_wait_for_engine");
        }

        /// <summary>Your fault handler. The device tries again when it returns true.</summary>
        [KernelName("dev_fault")]
        public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
        {
            ulong seq = await cpu.Load(_seq, MemoryOrder.Acquire, StepWeight.Key);
            Pte entry = await GetUserPage(cpu, page, write);
            if (!entry.Present)
            {
                return false;
            }

            await cpu.SpinLock(_lock);
            bool busy = await cpu.Load(_active) != 0;
            if (!busy && await cpu.Load(_seq) == seq)
            {
                await Mmu.SpteExchange(cpu, page, Pte.Leaf(entry.Frame, write), "dev_set_pte");
            }

            await cpu.SpinUnlock(_lock);
            if (busy)
            {
                await cpu.WaitEvent(_active, Condition.Equal, 0);
            }

            return true;
        }
    }
}
