using Shootdown.Kernel;
using Shootdown.Machine;
using Shootdown.Measure;

namespace Shootdown.Tests.Measure;

/// <summary>Flush designs on the timed machine: the code that <c>designs</c> checks, under load.</summary>
public sealed class PolicyTests
{
    private const long TwoMilliseconds = 2_000_000;

    public static TheoryData<string> Policies => [.. FlushPolicy.All.Select(policy => policy.Name)];

    /// <summary>Runs: work, TLB interrupts, full flushes, single pages, broadcasts, pages held back at most.</summary>
    public static TheoryData<string, string, int, long[]> Pins => new()
    {
        { "munmap-storm", "linux-6.12", 4, [84, 249, 41, 2603, 0, 16] },
        { "munmap-storm", "latr", 4, [143, 3, 147, 23, 0, 972] },
        { "munmap-storm", "broadcast", 8, [135, 14, 8, 40, 1054, 16] },
        { "mmap-file-server", "linux-6.12", 4, [900, 18, 17, 3, 0, 31] },
        { "mmap-file-server", "mmu-gather", 4, [866, 195, 2, 195, 0, 31] },
        { "mmap-file-server", "lazy-until-reuse", 4, [896, 12, 11, 3, 0, 32] },
        { "parallel-gc", "linux-6.12", 4, [10179, 405, 27, 764, 0, 64] },
        { "ksm-host", "linux-6.12", 5, [3871, 212, 3, 212, 0, 0] },
        { "device-stream", "linux-6.12", 4, [1221, 176, 265, 54, 0, 46] },
        { "madvise-storm", "table-generation", 4, [316, 948, 1268, 0, 0, 32] },
        { "madvise-storm", "flush-ring", 4, [316, 948, 952, 2528, 0, 32] },
        { "madvise-storm", "per-mm-pending", 4, [157, 938, 628, 5016, 0, 24] },
    };

    /// <summary>No design lets an access reach memory that was handed out again (the run would end with an error).</summary>
    [Theory]
    [MemberData(nameof(Policies))]
    public void Policies_are_sound_under_load(string name)
    {
        FlushPolicy policy = FlushPolicy.Find(name)!;
        foreach (Workload workload in Workload.All)
        {
            Assert.True(Run(workload.Name, policy, 4).Work > 0, $"{workload.Name} under {name} got nothing done");
        }
    }

    /// <summary>Few readers have less memory than kswapd keeps free for many.</summary>
    [Theory]
    [InlineData("mapped-readers", 2)]
    [InlineData("mapped-readers", 3)]
    [InlineData("mapped-readers-long", 2)]
    [InlineData("mapped-readers-long", 3)]
    public void Few_readers_read_and_reclaim(string workload, int cpus)
    {
        Measurement run = Run(workload, FlushPolicy.Find("linux-6.12")!, cpus);
        Assert.True(run is { Work: > 0, TlbInterrupts: > 0 });
    }

    [Theory]
    [MemberData(nameof(Pins))]
    public void Measurements_are_pinned(string workload, string policy, int cpus, long[] expected)
    {
        ArgumentNullException.ThrowIfNull(expected);
        Measurement run = Run(workload, FlushPolicy.Find(policy)!, cpus);
        long[] found = [run.Work, run.TlbInterrupts, run.FullFlushes, run.PageFlushes, run.Broadcasts, run.HeldMaxBytes / 4096];
        Assert.Equal(expected, found);
    }

    [Fact]
    public void What_is_left_out_says_why()
    {
        Assert.Equal(["vma-generation", "broadcast-first"], FlushPolicy.LeftOut.Select(one => one.Item1));
        Assert.Contains("areas", FlushPolicy.LeftOut[0].Item2, StringComparison.Ordinal);
        Assert.All(FlushPolicy.LeftOut, one => Assert.DoesNotContain(FlushPolicy.All, policy => policy.Name == one.Item1));
    }

    /// <summary>The timed machine notices a design that does not flush, as the checked one does.</summary>
    [Fact]
    public void A_design_that_tells_nobody_is_noticed()
    {
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(
            () => Run("parallel-gc", FlushPolicy.Of(new OthersAreNotTold()), 4));
        Assert.Contains("freed memory", error.Message, StringComparison.Ordinal);
    }

    /// <summary>LATR trades memory for interrupts; a broadcast needs neither, but only above three CPUs.</summary>
    [Fact]
    public void Designs_trade_what_they_are_said_to_trade()
    {
        Measurement linux = Run("munmap-storm", FlushPolicy.Find("linux-6.12")!, 8);
        Measurement latr = Run("munmap-storm", FlushPolicy.Find("latr")!, 8);
        Measurement broadcast = Run("munmap-storm", FlushPolicy.Find("broadcast")!, 8);
        Assert.True(latr.TlbInterrupts * 10 < linux.TlbInterrupts && latr.HeldMaxBytes > 10 * linux.HeldMaxBytes);
        Assert.True(broadcast.TlbInterrupts * 10 < linux.TlbInterrupts && broadcast.HeldMaxBytes <= linux.HeldMaxBytes);
        Assert.Equal(0, Run("munmap-storm", FlushPolicy.Find("broadcast")!, 3).Broadcasts);
    }

    private static Measurement Run(string workload, FlushPolicy policy, int cpus)
        => Measurement.Run(Workload.Find(workload)!, policy, cpus, TwoMilliseconds);

    /// <summary>Interrupts nobody at all.</summary>
    private sealed class OthersAreNotTold : FlushDesign
    {
        public override string Id => "no-ipis";

        public override string Title => "other CPUs are not told";

        public override int Year => 2026;

        public override string Source => "a test";

        public override string Story => "Nobody is interrupted.";

        public override KernelParts Apply(KernelParts parts) => parts with { TlbFlush = kernel => new Silent(kernel) };

        private sealed class Silent(KernelModel kernel) : TlbFlush(kernel)
        {
            protected override async Proc OnEachCpuMask(Cpu cpu, CpuSet targets, FlushTlbInfo info)
                => await base.OnEachCpuMask(cpu, targets.Contains(cpu) ? CpuSet.Of(cpu) : default, info);
        }
    }
}
