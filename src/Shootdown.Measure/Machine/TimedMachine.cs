using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// A discrete-event simulation of CPUs that run kernel code, in virtual nanoseconds. One program a CPU. A program runs on until it waits
/// for another CPU, or until it would wait past the time at which another one goes on; then the one that is earliest goes on.
/// </summary>
/// <remarks>
/// A CPU may run ahead of others by what it does between two such points (a system call without a shootdown), so that locks are taken
/// in the order of the calls, not of the instructions. A lock that was released later than now is waited for all the same.
/// </remarks>
public sealed partial class TimedMachine : TimedExecution
{
    private static readonly Operation ComputeWait = NewWait("compute");
    private static readonly Operation TurnWait = NewWait("go on");
    private static readonly Operation AcknowledgementsWait = NewWait("acknowledgements");
    private readonly CostTable _costs;
    private readonly TimedCpu[] _cpus;
    private readonly EventQueue _queue;
    private readonly IpiLatency _latency;
    private readonly int _lockNs;
    private readonly int _handOverNs;
    private readonly int _sleepWakeNs;
    private readonly int _aheadNs;
    private int _programs;

    /// <summary>Makes the machine.</summary>
    /// <param name="cpus">CPUs, 1 to 512.</param>
    /// <param name="frames">Frames of 4 KiB, up to 2^26.</param>
    /// <param name="costs">What things cost.</param>
    /// <param name="seed">Seed of the latencies of interrupts.</param>
    /// <param name="extraAsids">ASIDs of a CPU besides the six that x86 Linux uses (TLB_NR_DYN_ASIDS).</param>
    public TimedMachine(int cpus, int frames, CostTable? costs = null, ulong seed = 1, int extraAsids = 0)
    {
        _costs = costs ?? CostTable.Default;
        _queue = new EventQueue(cpus);
        _latency = new IpiLatency(_costs, seed);
        WordNs = _costs["memory.word_ns"];
        AtomicNs = _costs["memory.atomic_ns"];
        EntryAtomicNs = _costs["memory.entry_exchange_ns"];
        AllocNs = _costs["memory.allocate_page_ns"];
        AllocHugeNs = _costs["memory.allocate_huge_ns"];
        FreeNs = _costs["memory.free_page_ns"];
        CopyNs = _costs["memory.copy_page_ns"];
        _lockNs = _costs["lock.uncontended_ns"];
        _handOverNs = _costs["lock.hand_over_ns"];
        _sleepWakeNs = _costs["lock.sleep_wake_ns"];
        _aheadNs = 4 * _costs["ipi.deliver_median_ns"];
        var options = new MachineOptions
        {
            Cpus = cpus,
            Levels = 4,
            EntriesPerTable = 512,
            Frames = frames,
            Asids = 6 + extraAsids,
            AccessedBit = true,
            GracePeriods = true,
        };
        Model = new MachineModel(options, this);
        _cpus = [.. Model.Cpus.Select(cpu => new TimedCpu(cpu, new CpuTlb(_costs.Tlb, options.Asids)))];
        InitialiseCosts();
    }

    /// <summary>The machine as kernel code knows it.</summary>
    public MachineModel Model { get; }

    /// <summary>The CPUs.</summary>
    public IReadOnlyList<TimedCpu> Cpus => _cpus;

    /// <summary>What things cost.</summary>
    public CostTable Costs => _costs;

    /// <summary>Accesses through translations of frames that were free by then: 0, or the kernel code that ran is wrong.</summary>
    public long StaleAccesses { get; private set; }

    /// <summary>Memory that is kept from the allocator until TLBs have been flushed.</summary>
    public HeldMemory Held { get; } = new();

    /// <summary>The latest time that a CPU has reached.</summary>
    public long Now => Clock.Max();

    /// <summary>When the last program so far ended; interrupts and ticks may come later.</summary>
    public long LastEndNs { get; private set; }

    /// <summary>Starts a program on a CPU, at the CPU's time. It begins when the machine runs.</summary>
    public void Start(Cpu cpu, Func<Proc> program)
    {
        TimedCpu state = StateOf(cpu);
        if (state.Program is not null)
        {
            throw new InvalidOperationException($"{cpu} runs a program already");
        }

        state.Program = program;
        _programs++;
        state.Task = null;
        _queue.Set(cpu.Index, Math.Max(Clock[cpu.Index], state.HandlerEnd));
    }

    /// <summary>Starts a program on a CPU not before a time.</summary>
    public void StartAt(Cpu cpu, long time, Func<Proc> program)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        Clock[cpu.Index] = Math.Max(Clock[cpu.Index], time);
        Start(cpu, program);
    }

    /// <summary>Runs until all programs have ended, the time that is given, or a condition.</summary>
    /// <exception cref="ProcRuleException">Programs wait for each other.</exception>
    public void Run(long until = long.MaxValue, Func<bool>? enough = null)
    {
        while (NextTime < until)
        {
            if (enough is not null && enough())
            {
                return;
            }

            if (_nextTick <= _queue.NextTime)
            {
                Tick();
            }
            else
            {
                GoOn(_queue.Take(out long time), time);
            }
        }

        if (_queue.Count == 0 && _programs > 0)
        {
            TimedCpu stuck = Cpus.First(cpu => cpu.Program is not null);
            throw new ProcRuleException(
                $"{stuck.Cpu} waits for '{stuck.Task?.WaitsFor?.Text}' for ever, in {string.Join(" < ", stuck.Task?.WaitsIn ?? [])}");
        }
    }

    /// <summary>The CPU computes; interrupts make it longer.</summary>
    public Op Compute(Cpu cpu, long nanoseconds)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return Until(cpu, Clock[cpu.Index] + nanoseconds, false, ComputeWait);
    }

    /// <summary>The end of a system call or a fault: whoever is earlier goes on.</summary>
    public Op Boundary(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return Until(cpu, Clock[cpu.Index], false, TurnWait);
    }

    /// <summary>
    /// A CPU without program has come to a time that is known from elsewhere, a trace: what interrupted it until then is over.
    /// </summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="time">The time; nothing happens if the CPU is further.</param>
    /// <param name="runsUserCode">What it does from then on: run user code, or idle.</param>
    public void AdvanceTo(Cpu cpu, long time, bool runsUserCode)
    {
        TimedCpu state = StateOf(cpu);
        Clock[cpu.Index] = Math.Max(Clock[cpu.Index], time);
        state.Delay = 0;
        state.RunsUserCode = runsUserCode;
    }

    /// <summary>Time that a program spends in the kernel without steps of its own.</summary>
    public void Charge(Cpu cpu, int nanoseconds) => Spend(cpu, nanoseconds);

    /// <inheritdoc/>
    public override void HoldBack(Cpu cpu, int frames) => Held.Add(frames, NowOf(cpu));

    private TimedCpu StateOf(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return _cpus[cpu.Index];
    }

    /// <summary>Moves a CPU to a time, if nobody else has anything to do before.</summary>
    private Op Until(Cpu cpu, long time, bool waits, Operation wait)
    {
        if (time <= NextTime)
        {
            Clock[cpu.Index] = Math.Max(Clock[cpu.Index], time);
            return Performed;
        }

        _cpus[cpu.Index].Waits = waits;
        _queue.Set(cpu.Index, time);
        return Waiting(wait);
    }

    private void GoOn(int index, long time)
    {
        TimedCpu state = _cpus[index];
        if (!state.Waits && state.Delay > 0)
        {
            time += state.Delay;
            state.Delay = 0;
            if (time > NextTime)
            {
                _queue.Set(index, time);
                return;
            }
        }

        Clock[index] = state.Waits ? Math.Max(time, state.HandlerEnd) : Math.Max(time, Clock[index]);
        state.Waits = false;
        state.Delay = 0;
        if (state.LockToTake is { } word)
        {
            state.LockToTake = null;
            if (!TakeOrQueue(state.Cpu, word))
            {
                return;
            }
        }

        if (state.Task is null)
        {
            state.Task = TimedTask.Start(state.Program!);
        }
        else
        {
            state.Task.Resume(state.Result);
        }

        if (state.Task.HasEnded)
        {
            state.Task = null;
            state.Program = null;
            _programs--;
            LastEndNs = Math.Max(LastEndNs, Clock[index]);
        }
    }
}
