namespace Shootdown.Measure;

/// <summary>
/// Which CPUs take part in a flush: mm_cpumask and lazy TLB mode (arch/x86/mm/tlb.c). A CPU is in an address space's mask
/// as long as it is its loaded_mm.
/// </summary>
internal sealed class CpuRules(KernelProfile profile)
{
    /// <summary>mm_cpumask is trimmed once a second (<c>should_trim_cpumask</c>).</summary>
    private const long TrimNs = 1_000_000_000;

    private readonly List<CpuState> _cpus = [];

    /// <summary>
    /// <c>switch_mm_irqs_off</c> for a task with an address space; <c>enter_lazy_tlb</c> for a kernel thread or the idle task
    /// (null): loaded_mm stays and the CPU is lazy.
    /// </summary>
    public void Switch(int cpu, AddressSpace? next)
    {
        CpuState state = State(cpu);
        if (next is null)
        {
            state.IsLazy = state.Loaded is not null;
            return;
        }

        Leave(state, cpu, next);
        next.StaleCpus.Remove(cpu);
        state.Loaded = next;
        state.IsLazy = false;
    }

    /// <summary>A task on this CPU turns out to run in another address space than was thought.</summary>
    public void Correct(AddressSpace wrong, AddressSpace right)
    {
        foreach (CpuState state in _cpus)
        {
            if (state.Loaded == wrong)
            {
                state.Loaded = right;
            }
        }
    }

    /// <summary><c>exit_mm</c>: the task runs on without address space.</summary>
    public void EnterLazy(int cpu) => Switch(cpu, null);

    /// <summary>CPUs of the mask but the initiator's, and those of them that are lazy.</summary>
    public CpuTargets Targets(AddressSpace mm, int initiator)
    {
        var targets = new CpuTargets();
        for (int cpu = 0; cpu < _cpus.Count; cpu++)
        {
            if (cpu != initiator && _cpus[cpu].Loaded == mm)
            {
                targets.Add(cpu, _cpus[cpu].IsLazy ? TargetKind.Lazy : TargetKind.Busy);
            }
        }

        foreach (int cpu in mm.StaleCpus.Where(cpu => cpu != initiator))
        {
            targets.Add(cpu, TargetKind.Stale);
        }

        return targets;
    }

    /// <summary>
    /// <c>flush_tlb_mm_range</c>. Other CPUs in the mask: TLB_REMOTE_SEND_IPI, and an interrupt to those that are not lazy
    /// (<c>tlb_is_not_lazy</c>), to all of them if tables were freed (<c>native_flush_tlb_multi</c>). A lazy CPU that is
    /// interrupted drops the address space (<c>flush_tlb_func</c>: <c>switch_mm_irqs_off(NULL, &amp;init_mm, NULL)</c>) and
    /// reports no flush.
    /// </summary>
    public PredictedFlush Flush(AddressSpace mm, in TraceEvent cause, FlushRequest request, CpuTargets targets)
    {
        int interrupts = 0;
        int remote = 0;
        bool trims = Trims(mm, targets, cause.TimeNs);
        foreach ((int cpu, TargetKind kind) in targets.Cpus)
        {
            bool isInterrupted = kind == TargetKind.Busy || request.FreedTables || (kind == TargetKind.Stale && trims);
            interrupts += isInterrupted ? 1 : 0;
            remote += kind == TargetKind.Busy ? 1 : 0;
            if (isInterrupted && kind == TargetKind.Lazy)
            {
                Drop(mm, cpu);
            }
            else if (isInterrupted && kind == TargetKind.Stale)
            {
                // Logs TLB_REMOTE_WRONG_CPU and takes itself out of the mask.
                mm.StaleCpus.Remove(cpu);
            }
        }

        CpuState own = State(cause.Cpu);
        bool hasLocal = own.Loaded == mm && !own.IsLazy;
        if (own.Loaded == mm && own.IsLazy)
        {
            Leave(own, cause.Cpu, null);
            own.Loaded = null;
        }

        return new PredictedFlush(
            cause.TimeNs,
            cause.Cpu,
            cause.Tid,
            request.ReportedPages,
            hasLocal,
            targets.Cpus.Count > 0,
            remote,
            interrupts,
            targets.Cpus.Count - interrupts);
    }

    private void Drop(AddressSpace mm, int cpu)
    {
        CpuState state = State(cpu);
        if (state.Loaded == mm && state.IsLazy)
        {
            Leave(state, cpu, null);
            state.Loaded = null;
            state.IsLazy = false;
        }
    }

    private void Leave(CpuState state, int cpu, AddressSpace? next)
    {
        if (profile.KeepsMask && state.Loaded is { } old && old != next)
        {
            old.StaleCpus.Add(cpu);
        }
    }

    /// <summary>Asked only by a flush that finds other CPUs in the mask.</summary>
    private static bool Trims(AddressSpace mm, CpuTargets targets, long timeNs)
    {
        bool trims = mm.TrimmedNs > 0 && targets.Cpus.Count > 0 && timeNs - mm.TrimmedNs > TrimNs;
        mm.TrimmedNs = trims || mm.TrimmedNs == 0 ? timeNs : mm.TrimmedNs;
        return trims;
    }

    private CpuState State(int cpu)
    {
        while (_cpus.Count <= cpu)
        {
            _cpus.Add(new CpuState());
        }

        return _cpus[cpu];
    }

    private sealed class CpuState
    {
        public AddressSpace? Loaded { get; set; }

        public bool IsLazy { get; set; }
    }
}

/// <summary>What a CPU in a mask does.</summary>
internal enum TargetKind
{
    /// <summary>It runs the address space.</summary>
    Busy,

    /// <summary>It has it loaded and runs the idle task or a kernel thread.</summary>
    Lazy,

    /// <summary>It has switched away and is still in the mask.</summary>
    Stale,
}

/// <summary>Other CPUs in a mask at one moment.</summary>
internal sealed class CpuTargets
{
    private readonly List<(int Cpu, TargetKind Kind)> _cpus = [];

    /// <summary>The CPUs.</summary>
    public IReadOnlyList<(int Cpu, TargetKind Kind)> Cpus => _cpus;

    /// <summary>Adds one.</summary>
    public void Add(int cpu, TargetKind kind) => _cpus.Add((cpu, kind));

    /// <summary>Those of the next flush of the same call, when all of them were interrupted: a lazy one has dropped the address space.</summary>
    public CpuTargets AfterInterrupt(bool keepsMask)
    {
        var rest = new CpuTargets();
        foreach ((int cpu, TargetKind kind) in _cpus)
        {
            if (kind == TargetKind.Busy)
            {
                rest.Add(cpu, kind);
            }
            else if (kind == TargetKind.Lazy && keepsMask)
            {
                rest.Add(cpu, TargetKind.Stale);
            }
        }

        return rest;
    }
}
