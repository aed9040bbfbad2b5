using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>Where and when something of a trace happens.</summary>
/// <param name="Cpu">The CPU.</param>
/// <param name="TimeNs">Nanoseconds since the trace began.</param>
/// <param name="Tid">The thread.</param>
/// <param name="IsSelected">True if it is one of those that figures are asked for.</param>
internal readonly record struct ReplayPoint(int Cpu, long TimeNs, int Tid, bool IsSelected);

/// <summary>
/// One kernel that does what a trace shows: each call and fault runs the kernel library's code on a timed machine, on the CPU and at the
/// time of the trace. One at a time: a call is over before the next event, as far as other CPUs see.
/// </summary>
internal sealed partial class ReplayedKernel : ITimedTrace
{
    /// <summary>CPUs that a replay can have.</summary>
    public const int CpusMax = CpuSet.CpusMax;

    /// <summary>CPUs that it has at least.</summary>
    public const int CpusMin = 64;

    /// <summary>256 GiB; frames cost memory only once they were used.</summary>
    private const int FramesMax = 1 << 26;

    private readonly TimedKernel _kernel;
    private readonly List<Mm> _mms = [];
    private readonly long[] _flushesSeen;
    private readonly Action<PredictedFlush>? _listener;
    private int _cpusUsed;
    private ReplayPoint _at;

    /// <summary>Makes a kernel.</summary>
    /// <param name="policy">Its flush design.</param>
    /// <param name="cpus">CPUs of its machine, up to <see cref="CpusMax"/>.</param>
    /// <param name="costs">What things cost; null for the defaults.</param>
    /// <param name="listener">Is told each flush of selected threads; null if nobody wants to know.</param>
    public ReplayedKernel(FlushPolicy policy, int cpus, CostTable? costs, Action<PredictedFlush>? listener = null)
    {
        Policy = policy;
        _flushesSeen = new long[cpus];
        TimedProfile profile = policy.Profile;
        _kernel = new TimedKernel(profile with { Parts = FolioFiles.In(profile.Parts) }, cpus, FramesMax, costs);
        _kernel.Machine.Trace = this;
        _listener = listener;
    }

    /// <summary>Its flush design.</summary>
    public FlushPolicy Policy { get; }

    /// <summary>Flushes of selected threads.</summary>
    public FlushCounts Counts { get; } = new() { Interrupts = 0 };

    /// <summary>Interrupts that lazy TLB mode saved.</summary>
    public long LazySpared { get; private set; }

    /// <summary>What the selected threads' calls, faults and switches cost so far.</summary>
    public ReplayCosts Costs { get; private set; }

    /// <summary>Memory that it has kept from the allocator until TLBs were flushed.</summary>
    public HeldMemory Held => _kernel.Machine.Held;

    /// <summary>The latest time that a CPU has reached.</summary>
    public long NowNs => _kernel.Machine.Now;

    private TimedMachine Machine => _kernel.Machine;

    /// <summary>The address space of a process.</summary>
    private Mm MmOf(int process)
    {
        while (_mms.Count <= process)
        {
            _mms.Add(_kernel.NewProcess($"mm{_mms.Count}"));
        }

        return _mms[process];
    }

    /// <summary>Runs kernel code on a CPU, from the trace's time until it is done.</summary>
    private void Run(in ReplayPoint at, Func<Cpu, Proc> program)
    {
        Cpu cpu = _kernel.Cpu(at.Cpu);
        _at = at;
        _cpusUsed = Math.Max(_cpusUsed, at.Cpu + 1);
        Machine.AdvanceTo(cpu, at.TimeNs, Machine.Cpus[at.Cpu].RunsUserCode);
        ReplayCosts before = Sum();
        long start = Machine.NowOf(cpu);
        Machine.Start(cpu, () => program(cpu));
        Machine.Run();
        EndFlush();
        if (at.IsSelected)
        {
            Costs += Sum() - before with { KernelNs = before.KernelNs + start - Machine.NowOf(cpu) };
        }
    }

    /// <summary>The counters of all CPUs.</summary>
    private ReplayCosts Sum()
    {
        ReplayCosts sum = default;
        for (int i = 0; i < _cpusUsed; i++)
        {
            TimedCpu cpu = Machine.Cpus[i];
            sum += new ReplayCosts(cpu.TlbInterrupts, cpu.IpiWaitNs, cpu.StolenNs, cpu.Refills, cpu.RefillNs, 0);
        }

        return sum;
    }
}

/// <summary>What is measured while a trace is replayed.</summary>
/// <param name="Interrupts">CPUs interrupted to flush.</param>
/// <param name="StallNs">Nanoseconds that initiators waited for them.</param>
/// <param name="StolenNs">Nanoseconds that handlers took from what they interrupted.</param>
/// <param name="Refills">TLB misses on translations that a flush took away.</param>
/// <param name="RefillNs">Nanoseconds of their page walks.</param>
/// <param name="KernelNs">Nanoseconds of calls, faults and switches, stalls included.</param>
public readonly record struct ReplayCosts(long Interrupts, long StallNs, long StolenNs, long Refills, long RefillNs, long KernelNs)
{
    /// <summary>All that threads lose: in the kernel, to handlers, to refills.</summary>
    public long TotalNs => KernelNs + StolenNs + RefillNs;

    /// <summary>The sum of two.</summary>
    public static ReplayCosts operator +(ReplayCosts a, ReplayCosts b) => new(
        a.Interrupts + b.Interrupts, a.StallNs + b.StallNs, a.StolenNs + b.StolenNs, a.Refills + b.Refills, a.RefillNs + b.RefillNs,
        a.KernelNs + b.KernelNs);

    /// <summary>The difference of two.</summary>
    public static ReplayCosts operator -(ReplayCosts a, ReplayCosts b) => new(
        a.Interrupts - b.Interrupts, a.StallNs - b.StallNs, a.StolenNs - b.StolenNs, a.Refills - b.Refills, a.RefillNs - b.RefillNs,
        a.KernelNs - b.KernelNs);
}
