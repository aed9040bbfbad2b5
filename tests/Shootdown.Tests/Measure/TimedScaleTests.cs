// Programs of a timed machine are run once and never snapshotted: they may keep state of their own.
#pragma warning disable SHOOT003, SHOOT007

using Shootdown.Kernel;
using Shootdown.Machine;
using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Hundreds of CPUs and millions of pages.</summary>
public sealed class TimedScaleTests
{
    /// <summary>
    /// Three hundred CPUs; those with a number that 7 divides run the process, of which every fourth idles in lazy mode. Unmapping pages
    /// whose tables stay interrupts who runs it, and nobody else; freeing tables interrupts the lazy ones too.
    /// </summary>
    [Fact]
    public void A_shootdown_among_300_CPUs_interrupts_whom_it_must()
    {
        var kernel = new TimedKernel(TimedProfile.Linux612, 300);
        Mm process = kernel.NewProcess("p");
        Mm other = kernel.NewProcess("other");
        foreach (TimedCpu cpu in kernel.Machine.Cpus)
        {
            kernel.Machine.Start(cpu.Cpu, async () =>
            {
                await kernel.SwitchTo(cpu.Cpu, cpu.Cpu.Index % 7 == 0 ? process : other);
                if (cpu.Cpu.Index % 28 == 21)
                {
                    await kernel.GoIdle(cpu.Cpu);
                }
            });
        }

        kernel.Machine.Run();
        Run(kernel, cpu => MapAndGiveBack(kernel, cpu, process, 2));
        Assert.Equal(
            Enumerable.Range(0, 300).Select(cpu => cpu > 0 && cpu % 7 == 0 && cpu % 28 != 21 ? 1L : 0),
            kernel.Machine.Cpus.Select(cpu => cpu.TlbInterrupts));

        Run(kernel, cpu => kernel.Munmap(cpu, process, 1 << 20, 2));
        Assert.Equal(
            Enumerable.Range(0, 300).Select(cpu => cpu == 0 || cpu % 7 != 0 ? 0L : cpu % 28 == 21 ? 1 : 2),
            kernel.Machine.Cpus.Select(cpu => cpu.TlbInterrupts));
    }

    [Fact]
    public void Storms_run_on_512_CPUs()
    {
        Measurement run = Measurement.Run(Workload.Find("madvise-storm")!, FlushPolicy.All[0], 512, 1_000_000);
        long calls = run.Calls - run.Faults;
        Assert.True(run.TlbInterrupts > 100 * calls, $"{run.TlbInterrupts} interrupts of {calls} calls");
    }

    /// <summary>The inner life of the machine does not change what it measures.</summary>
    [Theory]
    [InlineData("madvise-storm", 20027649, 5064, 45576, 35448, 38009118, 34150476, 2585527, 35456, 40512, 80016, 40512)]
    [InlineData("munmap-storm", 20167126, 867, 9104, 6048, 7283808, 5772003, 133470886, 415, 53176, 14484, 7370)]
    [InlineData("reclaim", 20005440, 68083, 267, 2233, 2351349, 2166381, 143, 2239, 0, 10503, 267)]
    public void Measurements_are_pinned(
        string workload, long durationNs, long work, long calls, long interrupts, long stolenNs, long ipiWaitNs, long lockWaitNs, long full,
        long pages, long refills, long faults)
    {
        Measurement run = Measurement.Run(Workload.Find(workload)!, FlushPolicy.All[0], 8, 20_000_000, seed: 3);
        Assert.Equal(
            [durationNs, work, calls, interrupts, stolenNs, ipiWaitNs, lockWaitNs, full, pages, refills, faults],
            [run.DurationNs, run.Work, run.Calls, run.TlbInterrupts, run.StolenNs, run.IpiWaitNs, run.LockWaitNs, run.FullFlushes, run.PageFlushes, run.Refills, run.Faults]);
    }

    /// <summary>A million pages are mapped by as many frames and as few tables as hardware has, and all come back.</summary>
    [Fact]
    public void A_million_pages_are_mapped_and_come_back()
    {
        const int Pages = 1 << 20;
        var kernel = new TimedKernel(TimedProfile.Linux612, 1, 1 << 26);
        Mm process = kernel.NewProcess("p");
        int frames = kernel.Machine.Tables.FramesInUse;
        int tables = kernel.Machine.Tables.TablesInUse;
        Run(kernel, cpu => MapAndTouch(kernel, cpu, process, Pages));
        Assert.Equal(Pages, kernel.Machine.Tables.FramesInUse - frames);
        Assert.Equal((Pages / 512) + 4 + 1, kernel.Machine.Tables.TablesInUse - tables);
        Run(kernel, cpu => kernel.Munmap(cpu, process, 1 << 20, Pages));
        Assert.Equal((frames, tables), (kernel.Machine.Tables.FramesInUse, kernel.Machine.Tables.TablesInUse));
    }

    /// <summary>What only the checked machine can do ends a measurement with its name, not with a machine that waits for ever.</summary>
    [Fact]
    public void An_operation_without_a_timed_form_says_so()
    {
        var kernel = new TimedKernel(TimedProfile.Linux612, 1);
        ProcRuleException error = Assert.Throws<ProcRuleException>(() => Run(kernel, TryPin));
        Assert.Contains("has no timed form", error.Message, StringComparison.Ordinal);
        Assert.Contains("try_grab_folio_fast", error.Message, StringComparison.Ordinal);
    }

    private static void Run(TimedKernel kernel, Func<Cpu, Proc> program)
    {
        kernel.Machine.Start(kernel.Cpu(0), () => program(kernel.Cpu(0)));
        kernel.Machine.Run();
    }

    private static async Proc TryPin(Cpu cpu) => await cpu.FrameTryPin(1);

    private static async Proc MapAndTouch(TimedKernel kernel, Cpu cpu, Mm process, int pages)
    {
        await kernel.SwitchTo(cpu, process);
        await kernel.Mmap(cpu, process, 1 << 20, pages);
        await kernel.Touch(cpu, process, 1 << 20, pages);
    }

    private static async Proc MapAndGiveBack(TimedKernel kernel, Cpu cpu, Mm process, int pages)
    {
        await MapAndTouch(kernel, cpu, process, pages);
        await kernel.MadviseDontneed(cpu, process, 1 << 20, pages);
    }
}
