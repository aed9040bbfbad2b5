namespace Shootdown.Measure;

/// <summary>Replays the inputs of a trace in the recorded kernel, and in others that have another flush design.</summary>
internal sealed class Prediction
{
    private readonly TraceDriver _driver;
    private readonly ReplayedKernel[] _kernels;
    private readonly TimedProfile _profile;
    private readonly CostTable _costs;
    private readonly int _pagesAgain;
    private bool _hasCpu;

    /// <summary>Chooses the kernel: the one asked for, else that of the version that the trace names, else 6.12.</summary>
    /// <param name="reader">The trace.</param>
    /// <param name="options">What is asked for.</param>
    /// <param name="cpusSeen">CPUs that the trace is known to have so far.</param>
    public Prediction(TraceReader reader, ReplayOptions options, int cpusSeen)
    {
        Cpus = cpusSeen <= ReplayedKernel.CpusMin ? ReplayedKernel.CpusMin : ReplayedKernel.CpusMax;
        _profile = options.Kernel ?? TimedProfile.For(reader.KernelVersion);
        _costs = options.Costs ?? CostTable.Default;
        _pagesAgain = options.Policies.Count > 0 ? _costs.Tlb.L1Entries : 0;
        var recorded = new FlushPolicy($"linux-{_profile.Name}", "as recorded", _profile);
        _kernels =
        [
            new ReplayedKernel(recorded, Cpus, _costs, options.OnPredicted),
            .. options.Policies.Where(policy => policy.Name != recorded.Name).Select(policy => new ReplayedKernel(policy, Cpus, _costs)),
        ];
        _driver = new TraceDriver(_kernels, Cpus, reader.Names)
        {
            HasSwap = options.HasSwap ?? reader.Settings.HasSwap ?? true,
            HugePages = options.HugePages ?? reader.Settings.HugePages ?? HugePageMode.Madvise,
            StacksMayBeHuge = _profile.StacksMayBeHuge,
            RecentMax = _pagesAgain,
        };
        _driver.Begin(reader.Tasks, reader.Areas);
    }

    /// <summary>CPUs of the machines; there is no prediction of a trace that has more.</summary>
    public int Cpus { get; }

    /// <summary>The designs side by side; null if only the recorded kernel was replayed.</summary>
    public PolicyTable? Policies => _pagesAgain == 0 || !_hasCpu || _driver.Cpus > Cpus ? null : new PolicyTable(
        _costs.Name,
        _driver.OnCpuNs,
        _pagesAgain,
        [.. _kernels.Select(kernel => new PolicyRow(
            kernel.Policy.Name, kernel.Policy.Summary, kernel.Costs, kernel.Held.BytesMax, kernel.Held.ByteSeconds(kernel.NowNs)))]);

    /// <summary>Shows an event to the kernels, unless it is one that they must not see.</summary>
    public void Add(in TraceEvent next)
    {
        bool isInput = next.Kind is TraceEventKind.SyscallEnter or TraceEventKind.SyscallExit or TraceEventKind.PageFault or TraceEventKind.KernelFault
            or TraceEventKind.SchedSwitch or TraceEventKind.Fork or TraceEventKind.Exit;
        if (next.Cpu != TraceEvent.Unknown && isInput)
        {
            _hasCpu = true;
            _driver.Add(next);
        }
    }

    /// <summary>The trace is over.</summary>
    public void Finish() => _driver.Finish();

    /// <summary>What was predicted; null if nothing could be.</summary>
    public PredictionRow? Row(FlushCounts? recorded, long? interrupts)
        => _hasCpu && _driver.Cpus <= Cpus
            ? new PredictionRow(_profile.Name, _kernels[0].Counts, recorded, interrupts, _kernels[0].LazySpared, _driver.NotModelled)
            : null;
}
