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
/// <param name="Broadcasts">Broadcast invalidations.</param>
/// <param name="HeldMaxBytes">The most memory that was kept from the allocator at a time until TLBs had been flushed.</param>
/// <param name="HeldAverageBytes">The average of that over the run.</param>
public sealed record Measurement(
    string Workload, string Policy, int Cpus, long DurationNs, long Work, long Calls, long TlbInterrupts, long StolenNs, long IpiWaitNs,
    long LockWaitNs, long FullFlushes, long PageFlushes, long Refills, long RefillNs, long Faults, long Broadcasts,
    long HeldMaxBytes, long HeldAverageBytes)
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
        var kernel = new TimedKernel(policy.Profile, cpus, workload.Frames, costs, seed);
        var run = new WorkloadRun(kernel, durationNs, seed);
        workload.Start(run);
        run.Begin();
        kernel.Machine.Trace = trace;
        long[] before = Counters(kernel);
        kernel.Machine.Run();
        if (kernel.Machine.StaleAccesses > 0)
        {
            throw new InvalidOperationException(
                $"{workload.Name} under {policy.Name}: {kernel.Machine.StaleAccesses} accesses reached freed memory through a TLB");
        }

        long[] counted = [.. Counters(kernel).Zip(before, (after, start) => after - start)];
        long end = kernel.Machine.LastEndNs;
        long held = kernel.Machine.Held.AverageBytes(run.StartNs, end);
        return new Measurement(
            workload.Name, policy.Name, cpus, end - run.StartNs, run.Work, counted[0], counted[1], counted[2], counted[3], counted[4], counted[5],
            counted[6], counted[7], counted[8], counted[9], counted[10], Math.Max(kernel.Machine.Held.BytesMax, held), held);
    }

    /// <summary>What all CPUs have counted so far, in the order of the measurement.</summary>
    private static long[] Counters(TimedKernel kernel)
    {
        IReadOnlyList<TimedCpu> all = kernel.Machine.Cpus;
        return
        [
            kernel.Calls, all.Sum(cpu => cpu.TlbInterrupts), all.Sum(cpu => cpu.StolenNs), all.Sum(cpu => cpu.IpiWaitNs),
            all.Sum(cpu => cpu.LockWaitNs), all.Sum(cpu => cpu.FullFlushes), all.Sum(cpu => cpu.PageFlushes), all.Sum(cpu => cpu.Refills),
            all.Sum(cpu => cpu.RefillNs), all.Sum(cpu => cpu.Faults), all.Sum(cpu => cpu.Broadcasts),
        ];
    }
}
