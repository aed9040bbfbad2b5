namespace Shootdown.Measure;

/// <summary>
/// Which CPUs take part in a flush: mm_cpumask and lazy TLB mode (arch/x86/mm/tlb.c). A CPU is in an address space's mask
/// as long as it is its loaded_mm.
/// </summary>
internal sealed class CpuRules
{
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
                targets.Add(cpu, _cpus[cpu].IsLazy);
            }
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
        foreach ((int cpu, bool isLazy) in targets.Cpus)
        {
            if (!isLazy)
            {
                interrupts++;
                remote++;
            }
            else if (request.FreedTables)
            {
                interrupts++;
                Drop(mm, cpu);
            }
        }

        CpuState own = State(cause.Cpu);
        bool hasLocal = own.Loaded == mm && !own.IsLazy;
        if (own.Loaded == mm && own.IsLazy)
        {
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
            state.Loaded = null;
            state.IsLazy = false;
        }
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

/// <summary>Other CPUs in a mask at one moment.</summary>
internal sealed class CpuTargets
{
    private readonly List<(int Cpu, bool IsLazy)> _cpus = [];

    /// <summary>The CPUs in order.</summary>
    public IReadOnlyList<(int Cpu, bool IsLazy)> Cpus => _cpus;

    /// <summary>Adds one.</summary>
    public void Add(int cpu, bool isLazy) => _cpus.Add((cpu, isLazy));

    /// <summary>A lazy CPU that was interrupted is no target of the next flush.</summary>
    public CpuTargets WithoutLazy()
    {
        var rest = new CpuTargets();
        rest._cpus.AddRange(_cpus.Where(cpu => !cpu.IsLazy));
        return rest;
    }
}
