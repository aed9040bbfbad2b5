using Shootdown.Catalogue;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Notifiers;

/// <summary>What a driver does wrong, or in another way.</summary>
public enum Mistake
{
    None,
    NoRetry,
    EmptyRange,
    FirstPageOnly,
    SleepsUnderOomReaper,
    IntervalSleepsUnderOomReaper,
    BeginsUnderItsLock,
    InvalidatesInTheEnd,
    FlagInsteadOfCount,
    NoRelease,
    FailsAndHasAnEnd,
    ForgetsTheEnd,
    TriesAgainWithoutWaiting,
    MapsNothing,
    MarksAtUnmap,
    NeverMarks,
}

/// <summary>The template of docs/drivers.md with a driver that makes a mistake.</summary>
internal sealed class MistakenDriver(Mistake mistake) : DriverScenario
{
    public override string Id => "mistaken";

    public override string Title => "a driver with a mistake";

    public override SecondaryDriver NewDriver(KernelModel kernel, Mm mm, int pages, bool isBug)
        => mistake is Mistake.SleepsUnderOomReaper or Mistake.InvalidatesInTheEnd or Mistake.FlagInsteadOfCount or Mistake.NoRelease
            or Mistake.FailsAndHasAnEnd or Mistake.ForgetsTheEnd or Mistake.TriesAgainWithoutWaiting
            ? new StartEnd(kernel, mm, mistake)
            : new Interval(kernel, mm, PageRange.Of(0, pages), mistake);

    private sealed class StartEnd(KernelModel kernel, Mm mm, Mistake mistake) : StartEndDriver(kernel, mm)
    {
        private readonly Mistake _mistake = mistake;

        public override async Proc<bool> InvalidateRangeStart(Cpu cpu, NotifierRange range)
        {
            if (_mistake == Mistake.SleepsUnderOomReaper)
            {
                await cpu.MightSleep("mutex_lock");
            }

            if (_mistake == Mistake.FailsAndHasAnEnd && !range.Blockable)
            {
                return false;
            }

            await cpu.SpinLock(DriverLock);
            ulong count = _mistake == Mistake.FlagInsteadOfCount ? 1 : await cpu.Load(NotifiersCount) + 1;
            await cpu.Store(NotifiersCount, count);
            if (_mistake != Mistake.InvalidatesInTheEnd)
            {
                await Unmap(cpu, range.Pages);
            }

            await cpu.SpinUnlock(DriverLock);
            return true;
        }

        public override async Proc InvalidateRangeEnd(Cpu cpu, NotifierRange range)
        {
            await cpu.SpinLock(DriverLock);
            if (_mistake == Mistake.InvalidatesInTheEnd)
            {
                await Unmap(cpu, range.Pages);
            }

            await cpu.Store(NotifiersSeq, await cpu.Load(NotifiersSeq) + 1);
            if (_mistake != Mistake.ForgetsTheEnd)
            {
                await cpu.Store(NotifiersCount, _mistake == Mistake.FlagInsteadOfCount ? 0 : await cpu.Load(NotifiersCount) - 1);
            }

            await cpu.SpinUnlock(DriverLock);
        }

        public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
        {
            if (_mistake is not (Mistake.ForgetsTheEnd or Mistake.TriesAgainWithoutWaiting))
            {
                return await base.HandleFault(cpu, page, write);
            }

            // As KVM: tries again until no invalidation is in progress, without waiting.
            ulong seq = await cpu.Load(NotifiersSeq, MemoryOrder.Acquire);
            Pte entry = await GetUserPage(cpu, page, write);
            if (!entry.Present)
            {
                return false;
            }

            await cpu.SpinLock(DriverLock);
            if (await cpu.Load(NotifiersCount) == 0 && await cpu.Load(NotifiersSeq) == seq)
            {
                await Mmu.SpteExchange(cpu, page, Pte.Leaf(entry.Frame, write), "set_device_pte");
            }

            await cpu.SpinUnlock(DriverLock);
            return true;
        }

        public override async Proc Release(Cpu cpu)
        {
            if (_mistake != Mistake.NoRelease)
            {
                await base.Release(cpu);
            }
        }
    }

    private sealed class Interval(KernelModel kernel, Mm mm, PageRange range, Mistake mistake) : IntervalDriver(kernel, mm, range)
    {
        private readonly Mistake _mistake = mistake;

        public override bool MarksDirtyAtUnmap => _mistake is Mistake.MarksAtUnmap or Mistake.NeverMarks;

        public override async Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
        {
            if (_mistake == Mistake.IntervalSleepsUnderOomReaper)
            {
                await cpu.MightSleep("mutex_lock");
            }

            if (MarksDirtyAtUnmap)
            {
                return await InvalidateAndMark(cpu, range, seq);
            }

            int count = _mistake switch { Mistake.EmptyRange => 0, Mistake.FirstPageOnly => 1, _ => range.Pages.Count };
            return await base.Invalidate(cpu, range with { Pages = PageRange.Of(range.Pages.Start, count) }, seq);
        }

        public override async Proc<bool> HandleFault(Cpu cpu, int page, bool write)
        {
            switch (_mistake)
            {
                case Mistake.NoRetry:
                    return await MapWithoutRetry(cpu, page, write);
                case Mistake.BeginsUnderItsLock:
                    return await BeginUnderLock(cpu, page, write);
                case Mistake.MapsNothing:
                    return false;
                case Mistake.MarksAtUnmap or Mistake.NeverMarks:
                    return await MapAsAllowed(cpu, page, write);
                default:
                    return await base.HandleFault(cpu, page, write);
            }
        }

        private async Proc<bool> InvalidateAndMark(Cpu cpu, NotifierRange range, ulong seq)
        {
            if (!range.Blockable && await cpu.MutexTryLock(DriverLock) == 0)
            {
                return false;
            }

            if (range.Blockable)
            {
                await cpu.MutexLock(DriverLock);
            }

            await Kernel.MmuInterval.MmuIntervalSetSeq(cpu, Interval, seq);
            for (int page = range.Pages.Start; page < range.Pages.End; page++)
            {
                Pte old = await Mmu.SpteExchange(cpu, page, Pte.None, "clear_gpu_pte");
                if (_mistake == Mistake.MarksAtUnmap && old.Write)
                {
                    await FolioMarkDirty(cpu, old.Frame);
                }
            }

            await Mmu.FlushTlbs(cpu, "flush_gpu_tlb");
            await cpu.MutexUnlock(DriverLock);
            return true;
        }

        /// <summary>Maps writable whatever may be written, so that a store behind a load makes no fault.</summary>
        private async Proc<bool> MapAsAllowed(Cpu cpu, int page, bool write)
        {
            ulong seq = await Kernel.MmuInterval.MmuIntervalReadBegin(cpu, Interval);
            Pte entry = await HmmRangeFault(cpu, page, write);
            await cpu.MutexLock(DriverLock);
            if (entry.Present && !await Kernel.MmuInterval.MmuIntervalReadRetry(cpu, Interval, seq))
            {
                await Map(cpu, page, entry, entry.Write);
            }

            await cpu.MutexUnlock(DriverLock);
            return entry.Present;
        }

        private async Proc<bool> BeginUnderLock(Cpu cpu, int page, bool write)
        {
            await cpu.MutexLock(DriverLock);
            ulong seq = await Kernel.MmuInterval.MmuIntervalReadBegin(cpu, Interval);
            await cpu.MutexUnlock(DriverLock);
            Pte entry = await HmmRangeFault(cpu, page, write);
            await cpu.MutexLock(DriverLock);
            if (entry.Present && !await Kernel.MmuInterval.MmuIntervalReadRetry(cpu, Interval, seq))
            {
                await Map(cpu, page, entry, write);
            }

            await cpu.MutexUnlock(DriverLock);
            return entry.Present;
        }

        private async Proc<bool> MapWithoutRetry(Cpu cpu, int page, bool write)
        {
            Pte entry = await HmmRangeFault(cpu, page, write);
            await cpu.MutexLock(DriverLock);
            if (entry.Present)
            {
                await Map(cpu, page, entry, write);
            }

            await cpu.MutexUnlock(DriverLock);
            return entry.Present;
        }
    }
}
