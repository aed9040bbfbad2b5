using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Pairs;

/// <summary>
/// As <see cref="InventedBugs"/>: mistakes in notifiers and drivers, in what happens when one of them comes or goes, and at the end of a process.
/// </summary>
internal static class InventedDeviceBugs
{
    public static IReadOnlyList<KernelPatch> All { get; } =
    [
        // Interval notifiers.
        new Invented("interval-start-leaves-even", parts => parts with { MmuInterval = kernel => new StartLeavesEven(kernel) }),
        new Invented("interval-retry-ignored", parts => parts with { MmuInterval = kernel => new NeverRetries(kernel) }),
        new Invented("interval-begin-no-wait", parts => parts with { MmuInterval = kernel => new BeginsAtOnce(kernel) }),
        new Invented("interval-set-seq-forgotten", parts => parts with { MmuInterval = kernel => new KeepsSeq(kernel) }),
        new Invented("interval-first-end-ends-all", parts => parts with { MmuInterval = kernel => new FirstEndEndsAll(kernel) }),
        new Invented("interval-remove-no-wait", parts => parts with { MmuInterval = kernel => new RemovesAtOnce(kernel) }),
        new Invented("interval-deferred-not-applied", parts => parts with { MmuInterval = kernel => new LeavesDeferred(kernel) }),
        new Invented("interval-insert-looks-old", parts => parts with { MmuInterval = kernel => new InsertsAsOld(kernel) }),

        // A driver with an interval notifier.
        new Invented("mirror-looks-before-begin", parts => parts with { MirrorDriver = (k, m, life) => new LooksFirst(k, m, life) }),
        new Invented("mirror-callback-unlocked", parts => parts with { MirrorDriver = (k, m, life) => new CallbackUnlocked(k, m, life) }),
        new Invented("mirror-keeps-tlb", parts => parts with { MirrorDriver = (k, m, life) => new KeepsTlb(k, m, life) }),
        new Invented("mirror-unmaps-one-page", parts => parts with { MirrorDriver = (k, m, life) => new UnmapsOnePage(k, m, life) }),
        new Invented("mirror-removes-first", parts => parts with { MirrorDriver = (k, m, life) => new RemovesFirst(k, m, life) }),

        // The end of a process.
        new Invented("exit-forgets-intervals", parts => parts with { MmuNotifier = kernel => new ForgetsIntervals(kernel) }),
        new Invented("exit-keeps-guest", parts => parts with { Kvm = (kernel, mm, life) => new KeepsSptes(kernel, mm, life) }),
        new Invented("exit-releases-last", parts => parts with { ExitMmap = kernel => new ReleasesLast(kernel) }),
        new Invented("exit-needs-no-flush", parts => parts with { MmuGather = kernel => new NoFlushAtExit(kernel) }),

        // The OOM reaper, which must not sleep.
        new Invented("oom-reaps-anyway", parts => parts with { OomKill = kernel => new ReapsAnyway(kernel) }),
        new Invented("oom-ends-what-failed", parts => parts with { OomKill = kernel => new EndsAnyway(kernel) }),
        new Invented("oom-blocks", parts => parts with { MmuNotifier = kernel => new BlocksAnyway(kernel) }),
        new Invented("interval-failure-not-ended", parts => parts with { MmuInterval = kernel => new FailsWithoutEnd(kernel) }),

        // Registration.
        new Invented("register-without-locks", parts => parts with { MmuNotifierList = kernel => new RegistersAnyTime(kernel) }),
        new Invented("unregister-no-grace-period", parts => parts with { MmuNotifierList = kernel => new SkipsGracePeriod(kernel, atExit: false) }),
        new Invented("exit-no-grace-period", parts => parts with { MmuNotifierList = kernel => new SkipsGracePeriod(kernel, atExit: true) }),
        new Invented("unregister-unlinks-first", parts => parts with { MmuNotifierList = kernel => new UnlinksFirst(kernel) }),

        // Devices that share the page tables.
        new Invented("bound-before-registered", parts => parts with { IommuSva = (k, m, d, life) => new BindsFirst(k, m, d, life) }),
        new Invented("pasid-cleared-not-flushed", parts => parts with { IommuSva = (k, m, d, life) => new KeepsPasid(k, m, d, life) }),
        new Invented("ats-counted-late", parts => parts with { IommuSva = (k, m, d, life) => new CountsLate(k, m, d, life) }),
        new Invented("ats-before-iotlb", parts => parts with { IommuSva = (k, m, d, life) => new DeviceTlbFirst(k, m, d, life) }),
        new Invented("ats-flush-first-page", parts => parts with { IommuSva = (k, m, d, life) => new InvalidatesFirstPage(k, m, d, life) }),
        new Invented("iopf-never-answered", parts => parts with { IommuSva = (k, m, d, life) => new NeverAnswers(k, m, d, life) }),
    ];

    private sealed class Invented(string id, Func<KernelParts, KernelParts> apply) : KernelPatch
    {
        public override string Id => id;

        public override KernelParts Apply(KernelParts parts) => apply(parts);
    }

    private sealed class StartLeavesEven(KernelModel kernel) : MmuInterval(kernel)
    {
        public override async Proc<bool> MnItreeInvalidate(Cpu cpu, Mm mm, NotifierRange range)
        {
            IntervalTree tree = mm.Intervals!;
            await cpu.SpinLock(tree.Lock);
            await cpu.AddReturn(tree.ActiveInvalidateRanges, 1);
            ulong overlapping = await cpu.Load(tree.Itree) & tree.Overlapping(range.Pages);
            ulong seq = await cpu.Load(tree.InvalidateSeq);
            await cpu.SpinUnlock(tree.Lock);
            for (int i = 0; i < tree.Intervals.Count; i++)
            {
                if ((overlapping & (1UL << i)) != 0)
                {
                    await tree.Intervals[i].Invalidate(cpu, range, seq + 1);
                }
            }

            return true;
        }
    }

    private sealed class NeverRetries(KernelModel kernel) : MmuInterval(kernel)
    {
        public override async Proc<bool> MmuIntervalReadRetry(Cpu cpu, MmuIntervalNotifier interval, ulong seq) => false;
    }

    private sealed class BeginsAtOnce(KernelModel kernel) : MmuInterval(kernel)
    {
        public override async Proc<ulong> MmuIntervalReadBegin(Cpu cpu, MmuIntervalNotifier interval)
            => await cpu.Load(interval.InvalidateSeq, weight: StepWeight.Key);
    }

    private sealed class KeepsSeq(KernelModel kernel) : MmuInterval(kernel)
    {
        public override async Proc MmuIntervalSetSeq(Cpu cpu, MmuIntervalNotifier interval, ulong seq)
        {
        }
    }

    /// <summary>Whichever invalidation ends first, the sequence is even again.</summary>
    private sealed class FirstEndEndsAll(KernelModel kernel) : MmuInterval(kernel)
    {
        public override async Proc MnItreeInvEnd(Cpu cpu, Mm mm)
        {
            IntervalTree tree = mm.Intervals!;
            await cpu.SpinLock(tree.Lock);
            await cpu.AddReturn(tree.ActiveInvalidateRanges, -1);
            ulong seq = await cpu.Load(tree.InvalidateSeq);
            if ((seq & 1) != 0)
            {
                await cpu.Store(tree.InvalidateSeq, seq + 1, weight: StepWeight.Key);
                await cpu.Store(tree.Itree, await cpu.Load(tree.Itree) ^ await cpu.Load(tree.Deferred));
                await cpu.Store(tree.Deferred, 0);
            }

            await cpu.SpinUnlock(tree.Lock);
        }
    }

    private sealed class RemovesAtOnce(KernelModel kernel) : MmuInterval(kernel)
    {
        public override async Proc MmuIntervalNotifierRemove(Cpu cpu, MmuIntervalNotifier interval)
        {
            await cpu.SpinLock(interval.Tree.Lock);
            await Link(cpu, interval.Tree.Itree, interval.Bit, false);
            await cpu.SpinUnlock(interval.Tree.Lock);
        }
    }

    private sealed class LeavesDeferred(KernelModel kernel) : MmuInterval(kernel)
    {
        public override async Proc MnItreeInvEnd(Cpu cpu, Mm mm)
        {
            IntervalTree tree = mm.Intervals!;
            await cpu.SpinLock(tree.Lock);
            ulong active = await cpu.AddReturn(tree.ActiveInvalidateRanges, -1);
            ulong seq = await cpu.Load(tree.InvalidateSeq);
            if (active == 0 && (seq & 1) != 0)
            {
                await cpu.Store(tree.InvalidateSeq, seq + 1, weight: StepWeight.Key);
            }

            await cpu.SpinUnlock(tree.Lock);
        }
    }

    private sealed class InsertsAsOld(KernelModel kernel) : MmuInterval(kernel)
    {
        protected override async Proc InsertDuringInvalidation(Cpu cpu, MmuIntervalNotifier interval, ulong seq)
        {
            await cpu.Store(interval.InvalidateSeq, (seq & ~1UL) - 1, weight: StepWeight.Key);
            await Link(cpu, interval.Tree.Itree, interval.Bit, true);
        }
    }

    private sealed class LooksFirst(KernelModel kernel, Mm mm, NotifierRegistration life) : IntervalDriver(kernel, mm, PageRange.All, life)
    {
        public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
        {
            Pte entry = await HmmRangeFault(cpu, page, write);
            ulong seq = await Kernel.MmuInterval.MmuIntervalReadBegin(cpu, Interval);
            await cpu.MutexLock(DriverLock);
            if (entry.Present && !await Kernel.MmuInterval.MmuIntervalReadRetry(cpu, Interval, seq))
            {
                await Map(cpu, page, entry, write);
            }

            await cpu.MutexUnlock(DriverLock);
            return entry.Present;
        }
    }

    private sealed class CallbackUnlocked(KernelModel kernel, Mm mm, NotifierRegistration life)
        : IntervalDriver(kernel, mm, PageRange.All, life)
    {
        public override async Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
        {
            await Kernel.MmuInterval.MmuIntervalSetSeq(cpu, Interval, seq);
            await Unmap(cpu, range.Pages);
            return true;
        }
    }

    private sealed class KeepsTlb(KernelModel kernel, Mm mm, NotifierRegistration life) : IntervalDriver(kernel, mm, PageRange.All, life)
    {
        public override async Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
        {
            await cpu.MutexLock(DriverLock);
            await Kernel.MmuInterval.MmuIntervalSetSeq(cpu, Interval, seq);
            await ZapSptes(cpu, range.Pages, "clear_gpu_pte");
            await cpu.MutexUnlock(DriverLock);
            return true;
        }
    }

    private sealed class UnmapsOnePage(KernelModel kernel, Mm mm, NotifierRegistration life)
        : IntervalDriver(kernel, mm, PageRange.All, life)
    {
        public override Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
            => base.Invalidate(cpu, NotifierRange.Of(range.Pages.Start, 1), seq);
    }

    private sealed class RemovesFirst(KernelModel kernel, Mm mm, NotifierRegistration life)
        : IntervalDriver(kernel, mm, PageRange.All, life)
    {
        public override async Proc Close(Cpu cpu)
        {
            await Kernel.MmuInterval.MmuIntervalNotifierRemove(cpu, Interval);
            await Unmap(cpu, PageRange.All);
        }
    }

    private sealed class ForgetsIntervals(KernelModel kernel) : MmuNotifier(kernel)
    {
        protected override async Proc MnItreeRelease(Cpu cpu, Mm mm)
        {
        }
    }

    private sealed class KeepsSptes(KernelModel kernel, Mm mm, NotifierRegistration life)
        : Kvm(kernel, mm, 1, life, life != NotifierRegistration.Always)
    {
        public override async Proc Release(Cpu cpu)
        {
        }
    }

    private sealed class ReleasesLast(KernelModel kernel) : ExitMmap(kernel)
    {
        public override async Proc ExitMmapAll(Cpu cpu, Mm mm)
        {
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmuFullmm(cpu, mm);
            for (int page = 0; page < Machine.Paging.PageCount; page = mm.EndOfArea(page, Machine.Paging.PageCount))
            {
                await Kernel.Zap.UnmapPageRange(tlb, page, mm.EndOfArea(page, Machine.Paging.PageCount), mm.FileAreaOf(page));
            }

            await Kernel.PageTableFree.FreePgtables(tlb, 0, Machine.Paging.PageCount, default);
            await Kernel.MmuGather.TlbFinishMmu(tlb);
            if (mm.HasNotifiers)
            {
                await Kernel.MmuNotifier.Release(cpu, mm);
            }
        }
    }

    /// <summary>Nobody runs in the address space any more.</summary>
    private sealed class NoFlushAtExit(KernelModel kernel) : MmuGather(kernel)
    {
        protected override async Proc TlbFlush(TlbGather tlb, ulong flags)
        {
            if ((flags & GatherWords.FullMm) == 0)
            {
                await base.TlbFlush(tlb, flags);
            }
        }
    }

    private sealed class ReapsAnyway(KernelModel kernel) : OomKill(kernel)
    {
        protected override async Proc<bool> ReapArea(Cpu cpu, Mm mm, int first, int end)
        {
            TlbGather tlb = await Kernel.MmuGather.TlbGatherMmu(cpu, mm);
            bool started = mm.HasNotifiers && await Kernel.MmuNotifier.InvalidateRangeStartNonblock(cpu, mm, first, end - first);
            await Kernel.Zap.UnmapPageRange(tlb, first, end, mm.FileAreaOf(first));
            if (started)
            {
                await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, first, end - first);
            }

            await Kernel.MmuGather.TlbFinishMmu(tlb);
            return true;
        }
    }

    private sealed class EndsAnyway(KernelModel kernel) : OomKill(kernel)
    {
        protected override async Proc<bool> ReapArea(Cpu cpu, Mm mm, int first, int end)
        {
            bool reaped = await base.ReapArea(cpu, mm, first, end);
            if (!reaped)
            {
                await Kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, first, end - first);
            }

            return reaped;
        }
    }

    private sealed class BlocksAnyway(KernelModel kernel) : MmuNotifier(kernel)
    {
        public override async Proc<bool> InvalidateRangeStartNonblock(Cpu cpu, Mm mm, int first, int count)
        {
            await cpu.PreemptDisable();
            await InvalidateRangeStart(cpu, mm, first, count);
            await cpu.PreemptEnable();
            return true;
        }
    }

    /// <summary>The caller will not call the end, and nobody else does.</summary>
    private sealed class FailsWithoutEnd(KernelModel kernel) : MmuInterval(kernel)
    {
        public override async Proc<bool> MnItreeInvalidate(Cpu cpu, Mm mm, NotifierRange range)
        {
            bool done = await base.MnItreeInvalidate(cpu, mm, range);
            if (!done)
            {
                await cpu.AddReturn(mm.Intervals!.ActiveInvalidateRanges, 1);
                await cpu.Store(mm.Intervals.InvalidateSeq, await cpu.Load(mm.Intervals.InvalidateSeq) | 1);
            }

            return done;
        }
    }

    private sealed class RegistersAnyTime(KernelModel kernel) : MmuNotifierList(kernel)
    {
        public override async Proc MmuNotifierRegister(Cpu cpu, MmuNotifierSubscription subscription)
        {
            NotifierListWords list = subscription.Mm.NotifierList!;
            await cpu.SpinLock(list.Lock);
            await cpu.FetchOr(list.List, subscription.Bit, StepWeight.Key);
            await cpu.SpinUnlock(list.Lock);
        }
    }

    private sealed class SkipsGracePeriod(KernelModel kernel, bool atExit) : MmuNotifierList(kernel)
    {
        private readonly bool _atExit = atExit;

        protected override async Proc WaitForCallbacks(Cpu cpu, NotifierListWords list, bool exits)
        {
            if (exits != _atExit)
            {
                await base.WaitForCallbacks(cpu, list, exits);
            }
        }
    }

    private sealed class UnlinksFirst(KernelModel kernel) : MmuNotifierList(kernel)
    {
        public override async Proc MmuNotifierUnregister(Cpu cpu, MmuNotifierSubscription subscription)
        {
            NotifierListWords list = subscription.Mm.NotifierList!;
            await HlistDelInitRcu(cpu, list, subscription);
            await subscription.Release(cpu);
            await WaitForCallbacks(cpu, list, exits: false);
        }
    }

    /// <summary>As <see cref="KernelParts.IommuSva"/> makes it.</summary>
    private class NewIommu(KernelModel kernel, Mm mm, Device device, NotifierRegistration life) : IommuSva(
        kernel, mm, device, ats: false, life != NotifierRegistration.Unregistered, life == NotifierRegistration.Unregistered, life);

    private sealed class BindsFirst(KernelModel kernel, Mm mm, Device device, NotifierRegistration life) : NewIommu(kernel, mm, device, life)
    {
        public override async Proc BindDevice(Cpu cpu)
        {
            await cpu.PasidEntryStore(Device, true, "pasid_set_present()");
            await Kernel.MmuNotifierList.MmuNotifierRegister(cpu, this);
        }
    }

    private sealed class KeepsPasid(KernelModel kernel, Mm mm, Device device, NotifierRegistration life) : NewIommu(kernel, mm, device, life)
    {
        protected override async Proc TearDownPasidEntry(Cpu cpu) => await cpu.PasidEntryStore(Device, false, "pasid_clear_entry()");
    }

    private sealed class CountsLate(KernelModel kernel, Mm mm, Device device, NotifierRegistration life) : NewIommu(kernel, mm, device, life)
    {
        public override async Proc EnableAts(Cpu cpu)
        {
            await InvalidateDeviceTlb(cpu, PageRange.All);
            await cpu.EnableAts(Device);
            await cpu.AddReturn(NrAtsMasters, 1, StepWeight.Key);
        }
    }

    private sealed class DeviceTlbFirst(KernelModel kernel, Mm mm, Device device, NotifierRegistration life) : NewIommu(kernel, mm, device, life)
    {
        public override async Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
        {
            if (await HasAtsMasters(cpu))
            {
                await InvalidateDeviceTlb(cpu, range);
            }

            await InvalidateIotlb(cpu, range);
        }
    }

    private sealed class InvalidatesFirstPage(KernelModel kernel, Mm mm, Device device, NotifierRegistration life) : NewIommu(kernel, mm, device, life)
    {
        public override Proc ArchInvalidateSecondaryTlbs(Cpu cpu, PageRange range)
            => base.ArchInvalidateSecondaryTlbs(cpu, range.IsAll ? range : PageRange.Of(range.Start, 1));
    }

    private sealed class NeverAnswers(KernelModel kernel, Mm mm, Device device, NotifierRegistration life) : NewIommu(kernel, mm, device, life)
    {
        public override async Proc HandlePageRequests(Cpu cpu)
        {
            int request = (int)await cpu.WaitUntil(Device.PageRequest, Condition.NotEqual, 0);
            await IommuSvaHandleIopf(cpu, (request / 2) - 1, (request & 1) != 0);
        }
    }
}
