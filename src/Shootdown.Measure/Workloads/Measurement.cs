namespace Shootdown.Measure;

/// <summary>What a run of a workload measured. Times are virtual.</summary>
/// <param name="Workload">The workload.</param>
/// <param name="Policy">The flush design.</param>
/// <param name="Cpus">CPUs.</param>
/// <param name="DurationNs">How long it ran.</param>
/// <param name="Work">What its threads got done, in units of the workload.</param>
/// <param name="Calls">System calls and page faults.</param>
/// <param name="TlbInterrupts">Interrupts for TLB flushes.</param>
/// <param name="StolenNs">What handlers took from what they interrupted.</param>
/// <param name="IpiWaitNs">What senders waited for answers.</param>
/// <param name="LockWaitNs">What CPUs waited for locks.</param>
/// <param name="FullFlushes">Full flushes.</param>
/// <param name="PageFlushes">Invalidations of single pages.</param>
/// <param name="Refills">TLB misses that a flush caused.</param>
/// <param name="RefillNs">What they cost.</param>
/// <param name="Faults">Page faults.</param>
public sealed record Measurement(
    string Workload, string Policy, int Cpus, long DurationNs, long Work, long Calls, long TlbInterrupts, long StolenNs, long IpiWaitNs,
    long LockWaitNs, long FullFlushes, long PageFlushes, long Refills, long RefillNs, long Faults)
{
    /// <summary>Runs a workload on a machine of its own.</summary>
    /// <param name="workload">The workload.</param>
    /// <param name="policy">The flush design.</param>
    /// <param name="cpus">CPUs, 2 to 512.</param>
    /// <param name="durationNs">Virtual time.</param>
    /// <param name="seed">Seed of all that is random.</param>
    /// <param name="costs">What things cost; null for the defaults.</param>
    /// <param name="trace">Where events go; null for nowhere.</param>
    public static Measurement Run(
        Workload workload, FlushPolicy policy, int cpus, long durationNs, ulong seed = 1, CostTable? costs = null, ITimedTrace? trace = null)
    {
        ArgumentNullException.ThrowIfNull(workload);
        ArgumentNullException.ThrowIfNull(policy);
        var kernel = new TimedKernel(policy.Profile, cpus, 1 << 22, costs, seed);
        kernel.Machine.Trace = trace;
        var run = new WorkloadRun(kernel, durationNs, seed);
        workload.Start(run);
        kernel.Machine.Run();
        if (kernel.Machine.StaleAccesses > 0)
        {
            throw new InvalidOperationException(
                $"{workload.Name} under {policy.Name}: {kernel.Machine.StaleAccesses} accesses reached freed memory through a TLB");
        }

        IReadOnlyList<TimedCpu> all = kernel.Machine.Cpus;
        return new Measurement(
            workload.Name, policy.Name, cpus, kernel.Machine.Now, run.Work, kernel.Calls, all.Sum(cpu => cpu.TlbInterrupts),
            all.Sum(cpu => cpu.StolenNs), all.Sum(cpu => cpu.IpiWaitNs), all.Sum(cpu => cpu.LockWaitNs), all.Sum(cpu => cpu.FullFlushes),
            all.Sum(cpu => cpu.PageFlushes), all.Sum(cpu => cpu.Refills), all.Sum(cpu => cpu.RefillNs), all.Sum(cpu => cpu.Faults));
    }
}

/// <summary>A flush design under which workloads are measured.</summary>
/// <param name="Name">Name on the command line.</param>
/// <param name="Summary">What it does, in one line.</param>
/// <param name="Profile">The kernel that has it.</param>
public sealed record FlushPolicy(string Name, string Summary, TimedProfile Profile)
{
    /// <summary>The designs that the kernel library has.</summary>
    public static IReadOnlyList<FlushPolicy> All { get; } =
    [
        new("linux-6.12", "gathers and unmap batches of 6.12; up to 33 pages one by one", TimedProfile.Linux612),
        new("linux-6.1", "gathers and unmap batches of 6.1", TimedProfile.Linux61),
        new("full", "6.12, but every flush is a full one", TimedProfile.Linux612 with
        {
            Name = "full", Options = TimedProfile.Linux612.Options with { FlushCeiling = 0 },
        }),
        new("unbatched", "6.12, but reclaim flushes each page as it unmaps it", TimedProfile.Linux612 with
        {
            Name = "unbatched",
            Parts = TimedProfile.Linux612.Parts with { TlbBatch = kernel => new NoUnmapBatch(kernel) },
        }),
    ];

    /// <summary>A design by name; null if there is none.</summary>
    public static FlushPolicy? Find(string name) => All.FirstOrDefault(policy => policy.Name == name);
}

/// <summary>Reclaim and migration flush each page as they unmap it, as kernels did before batching (4.3).</summary>
internal sealed class NoUnmapBatch(Kernel.KernelModel kernel) : Kernel.TlbBatch(kernel)
{
    /// <inheritdoc/>
    public override async Machine.Proc<bool> ShouldDeferFlush(Machine.Cpu cpu, Kernel.Mm mm) => false;
}
