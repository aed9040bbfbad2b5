using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What a kernel leaves out of the end of a notifier's life.</summary>
public enum NotifierOmission
{
    /// <summary>Nothing: today's code.</summary>
    None,

    /// <summary>Lists are walked without a read section of SRCU, as if plain references were enough.</summary>
    ReadSection,

    /// <summary><c>mmu_notifier_unregister</c> does not wait for a grace period.</summary>
    WaitOfUnregister,

    /// <summary><c>mn_hlist_release</c> does not wait for a grace period.</summary>
    WaitOfExit,

    /// <summary><c>mmu_notifier_unregister</c> unlinks first, and then releases outside of a read section (2009).</summary>
    OrderOfUnregister,

    /// <summary>Callbacks are called in a read section of RCU instead of SRCU (2.6.33).</summary>
    PlainRcu,
}

/// <summary>
/// A driver unregisters its notifier, frees it, and unloads; meanwhile reclaim calls its callbacks, or the process exits and releases it. A
/// callback that runs
/// when its notifier was freed is reported.
/// </summary>
public static class NotifierLifeModel
{
    /// <summary>Builds it.</summary>
    /// <param name="omission">What is left out.</param>
    /// <param name="exits">True if the process exits meanwhile.</param>
    /// <param name="reclaims">True if reclaim takes the page meanwhile.</param>
    /// <param name="releasesOnce">True if the driver's release does nothing if it was called before, even if that call is still at work.</param>
    public static CheckModel Build(NotifierOmission omission, bool exits, bool reclaims, bool releasesOnce)
    {
        var options = new MachineOptions { Cpus = 1 + (exits ? 1 : 0) + (reclaims ? 1 : 0), EntriesPerTable = 1, Frames = 2 };
        if (omission == NotifierOmission.PlainRcu)
        {
            options = options with { GracePeriods = true };
        }

        var parts = new KernelParts
        {
            MmuNotifier = kernel => new Calls(kernel, omission),
            MmuNotifierList = kernel => new Life(kernel, omission),
        };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true, parts);
        var driver = new UnloadedDriver(stage.Kernel, stage.Mm, releasesOnce);
        driver.Mmu.BuildSpte(0, 0, write: true);
        driver.Mmu.AddBusyUsers("device");
        stage.AddKernelThread(0, "unload", () => Unload(stage.Kernel, stage.Cpu(0), driver));
        if (reclaims)
        {
            stage.AddKernelThread(1, "reclaim", () => stage.Kernel.Reclaim.ShrinkFolioList(stage.Cpu(1), 1, false));
        }

        if (exits)
        {
            int last = options.Cpus - 1;
            stage.AddThread(last, "exit", () => stage.Kernel.ExitMmap.ExitMm(stage.Cpu(last), stage.Mm));
        }

        return stage.ToModel(new PLife(), new PAtomic());
    }

    private static async Proc Unload(KernelModel kernel, Cpu cpu, UnloadedDriver driver)
    {
        await kernel.MmuNotifierList.MmuNotifierUnregister(cpu, driver.Subscription);
        await cpu.Store(driver.IsFreed, 1, weight: StepWeight.Key);
    }

    /// <summary>A driver whose callbacks look whether they are still there.</summary>
    private sealed class UnloadedDriver : NotifierDriver
    {
        private readonly bool _releasesOnce;

        public UnloadedDriver(KernelModel kernel, Mm mm, bool releasesOnce)
            : base(kernel, mm, "device", registration: NotifierRegistration.Registered)
        {
            _releasesOnce = releasesOnce;
            IsReleased = Machine.NewWord("device.released");
            Lock = Machine.NewMutex("device.lock");
            IsFreed = Machine.NewWord("device.freed");
        }

        public KernelMutex Lock { get; }

        public Word IsFreed { get; }

        public Word IsReleased { get; }

        [KernelName("device_invalidate_range_start")]
        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            await Unmap(cpu, range.Pages);
            return true;
        }

        [KernelName("device_release")]
        public override async Proc Release(Cpu cpu)
        {
            if (!_releasesOnce || await cpu.Exchange(IsReleased, 1) == 0)
            {
                await Unmap(cpu, PageRange.All);
            }
        }

        /// <summary>The device is being closed: it faults no more.</summary>
        public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write) => false;

        [KernelName("device_unmap")]
        private async Proc Unmap(Cpu cpu, PageRange range)
        {
            await cpu.MutexLock(Lock);
            if (await ZapSptes(cpu, range, "clear_device_pte"))
            {
                await Mmu.FlushTlbs(cpu, "flush_device_tlb");
            }

            await cpu.Assert(await cpu.Load(IsFreed, weight: StepWeight.Key) == 0, "a callback runs only while its notifier exists");
            await cpu.MutexUnlock(Lock);
        }
    }

    private sealed class Calls(KernelModel kernel, NotifierOmission omission) : MmuNotifier(kernel)
    {
        private readonly NotifierOmission _omission = omission;

        protected override async Proc<int> ReadLock(Cpu cpu, Mm mm)
        {
            if (_omission == NotifierOmission.PlainRcu)
            {
                await cpu.RcuReadLock();
            }

            return _omission is NotifierOmission.ReadSection or NotifierOmission.PlainRcu ? -1 : await base.ReadLock(cpu, mm);
        }

        protected override async Proc ReadUnlock(Cpu cpu, Mm mm, int section)
        {
            if (_omission == NotifierOmission.PlainRcu)
            {
                await cpu.RcuReadUnlock();
            }
            else if (_omission != NotifierOmission.ReadSection)
            {
                await base.ReadUnlock(cpu, mm, section);
            }
        }
    }

    private sealed class Life(KernelModel kernel, NotifierOmission omission) : MmuNotifierList(kernel)
    {
        private readonly NotifierOmission _omission = omission;

        public override async Proc MmuNotifierUnregister(Cpu cpu, MmuNotifierSubscription subscription)
        {
            if (_omission != NotifierOmission.OrderOfUnregister)
            {
                await base.MmuNotifierUnregister(cpu, subscription);
                return;
            }

            NotifierListWords list = subscription.Mm.NotifierList!;
            if ((await cpu.Load(list.List, weight: StepWeight.Context) & subscription.Bit) != 0)
            {
                await HlistDelInitRcu(cpu, list, subscription);
                await subscription.Release(cpu);
            }

            await cpu.SynchronizeSrcu(list.Srcu);
        }

        protected override async Proc WaitForCallbacks(Cpu cpu, NotifierListWords list, bool exits)
        {
            if (_omission == NotifierOmission.PlainRcu)
            {
                await cpu.SynchronizeRcu();
            }
            else if (_omission != (exits ? NotifierOmission.WaitOfExit : NotifierOmission.WaitOfUnregister))
            {
                await base.WaitForCallbacks(cpu, list, exits);
            }
        }
    }
}
