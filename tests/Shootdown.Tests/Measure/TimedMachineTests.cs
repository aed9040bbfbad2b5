// Programs of a timed machine are run once and never snapshotted: they may keep state of their own.
#pragma warning disable SHOOT003, SHOOT007

using Shootdown.Kernel;
using Shootdown.Machine;
using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Time, locks, interrupts and TLBs of the timed machine.</summary>
public sealed class TimedMachineTests
{
    private const long TenMilliseconds = 10_000_000;

    public static TheoryData<string> Workloads => [.. Workload.All.Select(workload => workload.Name)];

    /// <summary>The same seed gives the same run; no access ever reaches freed memory (the run would end with an error).</summary>
    [Theory]
    [MemberData(nameof(Workloads))]
    public void Workloads_repeat(string name)
    {
        Measurement first = Measurement.Run(Workload.Find(name)!, FlushPolicy.All[0], 4, TenMilliseconds, seed: 7);
        Measurement second = Measurement.Run(Workload.Find(name)!, FlushPolicy.All[0], 4, TenMilliseconds, seed: 7);
        Assert.Equal(first, second);
        Assert.True(first.Work > 0);
    }

    /// <summary>A server that forks all the time needs no more memory the longer it runs: the address spaces of children are used again.</summary>
    [Fact]
    public void Children_of_a_fork_leave_nothing_behind()
    {
        var kernel = new TimedKernel(TimedProfile.Linux612, 2);
        Cpu cpu = kernel.Cpu(0);
        Mm parent = kernel.NewProcess("parent");
        kernel.Machine.Start(cpu, async () =>
        {
            await kernel.SwitchTo(cpu, parent);
            await kernel.Mmap(cpu, parent, 512, 8);
            await kernel.Touch(cpu, parent, 512, 8);
            for (int i = 0; i < 100; i++)
            {
                Mm child = await kernel.Fork(cpu, parent);
                await kernel.Exit(cpu, child);
                kernel.Drop(child);
                await kernel.Touch(cpu, parent, 512, 8);
            }
        });
        kernel.Machine.Run();
        Assert.Equal(2, kernel.Kernel.Mms.Count);
    }

    [Fact]
    public void A_kernel_that_forgets_to_flush_is_noticed()
    {
        var broken = new FlushPolicy("broken", "never flushes", TimedProfile.Linux612 with
        {
            Parts = TimedProfile.Linux612.Parts with { TlbFlush = kernel => new NoFlush(kernel) },
        });
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(
            () => Measurement.Run(Workload.Find("reclaim")!, broken, 4, TenMilliseconds));
        Assert.Contains("freed memory", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Reclaim of 32 pages with one flush for all of them interrupts others less than with one for each.</summary>
    [Fact]
    public void Batching_saves_interrupts()
    {
        Measurement batched = Measurement.Run(Workload.Find("migration")!, FlushPolicy.Find("linux-6.12")!, 8, TenMilliseconds);
        Measurement full = Measurement.Run(Workload.Find("madvise-storm")!, FlushPolicy.Find("full")!, 8, TenMilliseconds);
        Measurement partial = Measurement.Run(Workload.Find("madvise-storm")!, FlushPolicy.Find("linux-6.12")!, 8, TenMilliseconds);
        Assert.True(batched.TlbInterrupts > 0);
        Assert.True(full.PageFlushes == 0 && partial.PageFlushes > 0);
        Assert.True(full.FullFlushes > partial.FullFlushes);
    }

    /// <summary>
    /// A handler takes its time from what it interrupts: CPU 1 computes for a millisecond, CPU 0 interrupts it three times.
    /// </summary>
    [Fact]
    public void Handlers_make_computing_longer()
    {
        var kernel = new TimedKernel(TimedProfile.Linux612, 2);
        Mm process = kernel.NewProcess("p");
        long computed = 0;
        kernel.Machine.Start(kernel.Cpu(1), async () =>
        {
            await kernel.SwitchTo(kernel.Cpu(1), process);
            long start = kernel.Machine.NowOf(kernel.Cpu(1));
            await kernel.Machine.Compute(kernel.Cpu(1), 1_000_000);
            computed = kernel.Machine.NowOf(kernel.Cpu(1)) - start;
        });
        kernel.Machine.Start(kernel.Cpu(0), async () =>
        {
            await kernel.SwitchTo(kernel.Cpu(0), process);
            await kernel.Machine.Compute(kernel.Cpu(0), 10_000);
            await kernel.Mmap(kernel.Cpu(0), process, 512, 3);
            await kernel.Touch(kernel.Cpu(0), process, 512, 3);
            for (int page = 512; page < 515; page++)
            {
                await kernel.MadviseDontneed(kernel.Cpu(0), process, page, 1);
            }
        });
        kernel.Machine.Run();
        Assert.Equal(3, kernel.Machine.Cpus[1].TlbInterrupts);
        Assert.Equal(1_000_000 + kernel.Machine.Cpus[1].StolenNs, computed);
    }

    /// <summary>Whoever wants the lock while its holder waits for answers gets it when the holder is done.</summary>
    [Fact]
    public void Locks_are_waited_for()
    {
        Measurement run = Measurement.Run(Workload.Find("munmap-storm")!, FlushPolicy.All[0], 8, TenMilliseconds);
        Assert.True(run.LockWaitNs > TenMilliseconds, $"{run.LockWaitNs} ns");
    }

    /// <summary>All frames and tables come back: 200 regions of random size are mapped, written and unmapped.</summary>
    [Fact]
    public void Memory_comes_back()
    {
        var kernel = new TimedKernel(TimedProfile.Linux612, 2);
        Mm process = kernel.NewProcess("p");
        int frames = kernel.Machine.Tables.FramesInUse;
        int tables = kernel.Machine.Tables.TablesInUse;
        var random = new Random(3);
        kernel.Machine.Start(kernel.Cpu(0), async () =>
        {
            await kernel.SwitchTo(kernel.Cpu(0), process);
            for (int i = 0; i < 200; i++)
            {
                int first = random.Next(1 << 24);
                int count = 1 + random.Next(700);
                await kernel.Mmap(kernel.Cpu(0), process, first, count);
                await kernel.Touch(kernel.Cpu(0), process, first, count);
                await kernel.Munmap(kernel.Cpu(0), process, first, count);
            }
        });
        kernel.Machine.Run();
        Assert.Equal(frames, kernel.Machine.Tables.FramesInUse);
        Assert.Equal(tables, kernel.Machine.Tables.TablesInUse);
    }

    private sealed class NoFlush(KernelModel kernel) : TlbFlush(kernel)
    {
        public override async Proc FlushTlbMulti(Cpu cpu, CpuSet mask, FlushTlbInfo info)
        {
        }
    }
}
