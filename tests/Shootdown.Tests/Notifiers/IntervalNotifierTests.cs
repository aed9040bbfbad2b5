using Shootdown.Catalogue;
using Shootdown.Check;
using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Tests.Notifiers;

/// <summary>The life of an interval: inserted and removed while invalidations come.</summary>
public sealed class IntervalNotifierTests
{
    [Theory]
    [InlineData(false, Verdict.Pass)]
    [InlineData(true, Verdict.Violation)]
    public void No_callback_runs_once_remove_has_returned(bool forgetsToWait, Verdict expected)
    {
        CheckReport report = Checker.Check(
            new CheckSubject("interval", string.Empty, string.Empty, "fix", null, []), () => Build(forgetsToWait), new CheckOptions { Workers = 1 });
        Assert.Equal((expected, string.Empty), (report.Verdict, report.Reason));
        Assert.Equal(forgetsToWait ? "The assertion fails: the interval still exists." : null, report.Counterexample?.Sentence);
    }

    /// <summary>CPU0 and CPU1 discard the page, CPU2 inserts the interval, removes it and frees it.</summary>
    private static CheckModel Build(bool forgetsToWait)
    {
        var options = new MachineOptions { Cpus = 3, EntriesPerTable = 1, Frames = 3 };
        var parts = new KernelParts { MmuInterval = kernel => forgetsToWait ? new RemoveAtOnce(kernel) : new MmuInterval(kernel) };
        Stage stage = Stage.WithMappedPages(options, 1, mmapWriters: false, dirty: true, parts);
        var interval = new Interval(stage.Kernel, stage.Mm);
        for (int i = 0; i < 2; i++)
        {
            Cpu cpu = stage.Cpu(i);
            stage.AddKernelThread(i, "madvise", () => Invalidate(stage.Kernel, cpu, stage.Mm));
        }

        stage.AddKernelThread(2, "driver", () => InsertAndRemove(stage.Kernel, stage.Cpu(2), interval));
        return new CheckModel(stage.Machine, [new Assertions()]);
    }

    private static async Proc Invalidate(KernelModel kernel, Cpu cpu, Mm mm)
    {
        await kernel.MmuNotifier.InvalidateRangeStart(cpu, mm, 0, 1);
        await kernel.MmuNotifier.InvalidateRangeEnd(cpu, mm, 0, 1);
    }

    private static async Proc InsertAndRemove(KernelModel kernel, Cpu cpu, Interval interval)
    {
        await kernel.MmuInterval.MmuIntervalNotifierInsert(cpu, interval);
        await kernel.MmuInterval.MmuIntervalNotifierRemove(cpu, interval);
        await cpu.Store(interval.IsFreed, 1, weight: StepWeight.Key);
    }

    private sealed class Interval : MmuIntervalNotifier
    {
        public Interval(KernelModel kernel, Mm mm)
            : base(kernel, mm, PageRange.Of(0, 1), "interval", inserted: false) => IsFreed = Machine.NewWord("interval.freed");

        public Word IsFreed { get; }

        [KernelName("driver_invalidate")]
        public override async Proc<bool> Invalidate(Cpu cpu, NotifierRange range, ulong seq)
        {
            await Kernel.MmuInterval.MmuIntervalSetSeq(cpu, this, seq);
            await cpu.Assert(await cpu.Load(IsFreed) == 0, "the interval still exists");
            return true;
        }
    }

    private sealed class RemoveAtOnce(KernelModel kernel) : MmuInterval(kernel)
    {
        public override async Proc MmuIntervalNotifierRemove(Cpu cpu, MmuIntervalNotifier interval)
        {
            await cpu.SpinLock(interval.Tree.Lock);
            await Link(cpu, interval.Tree.Itree, interval.Bit, false);
            await cpu.SpinUnlock(interval.Tree.Lock);
        }
    }
}
