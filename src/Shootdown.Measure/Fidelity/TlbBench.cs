using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>
/// The measuring program of per-operation.csv (tlbbench.c) on a timed machine: one thread on CPU 0 prepares and carries out an operation,
/// others run, or block, on CPUs 1 and up. Only what happens inside the operation is recorded.
/// </summary>
public sealed class TlbBench : ITimedTrace
{
    private const int FramesOfMachine = 1 << 19;
    private const int OwnFirst = 4096;
    private const int OwnPages = 16;

    /// <summary>Longer than anything that is measured.</summary>
    private const long SpinNs = 1L << 50;
    private readonly TimedKernel _timed;
    private readonly int _ownPagesAfterFork;
    private readonly Func<TlbBench, int, Proc> _setup;
    private readonly Func<TlbBench, int, Proc> _run;
    private readonly Signature _signature = new();
    private bool _records;
    private long _interruptsBefore;

    private TlbBench(BenchMachine system, Func<TlbBench, int, Proc> setup, Func<TlbBench, int, Proc> run, int cpus)
    {
        _timed = new TimedKernel(system.Profile, cpus, FramesOfMachine);
        _ownPagesAfterFork = system.OwnPagesAfterFork;
        _setup = setup;
        _run = run;
        Process = _timed.NewProcess("rt-op");
        _timed.Machine.Trace = this;
    }

    /// <summary>The machine.</summary>
    public TimedKernel Timed => _timed;

    /// <summary>The process that is measured.</summary>
    public Mm Process { get; }

    /// <summary>The CPU of the measuring thread.</summary>
    public Cpu Cpu => _timed.Cpu(0);

    /// <summary>First page of the region that operations work on: alone in its tables of all levels.</summary>
    public static int Arena => 1 << 28;

    /// <summary>Pages of a huge page.</summary>
    public static int Huge => 512;

    /// <summary>Pages that the measuring program unmaps after an operation: a larger operation would leave some behind.</summary>
    public static int ArenaPages => 128 * Huge;

    /// <summary>The file that operations on files map; made by their preparation.</summary>
    public FileMapping? File { get; private set; }

    /// <summary>Runs one operation and returns its events, its TLB interrupts and how long it took.</summary>
    /// <param name="system">The kernel, and what else matters.</param>
    /// <param name="operation">The operation.</param>
    /// <param name="pages">Its size.</param>
    /// <param name="mode">
    /// What the helpers do: none, spin, lazy or sleep; spin0 is other processes that run.
    /// </param>
    /// <param name="helpers">How many there are.</param>
    /// <param name="cpus">CPUs of the machine.</param>
    /// <param name="secondTime">True for what it does every second time (<see cref="BenchOperation.EverySecondTime"/>).</param>
    public static (Signature Events, long Interrupts, long Nanoseconds) Run(
        BenchMachine system, BenchOperation operation, int pages, string mode, int helpers, int cpus, bool secondTime = false)
    {
        ArgumentNullException.ThrowIfNull(system);
        ArgumentNullException.ThrowIfNull(operation);
        Func<TlbBench, int, Proc> run = secondTime && operation.EverySecondTime is { } other ? other : operation.Run;
        var bench = new TlbBench(system, operation.Setup, run, cpus);
        long duration = bench.RunAll(pages, mode, mode == "none" ? 0 : helpers);
        return (bench._signature, bench.InterruptsNow() - bench._interruptsBefore, duration);
    }

    /// <summary>Makes an anonymous area and touches nothing.</summary>
    public async Proc MapAt(int first, int count) => await _timed.Mmap(Cpu, Process, first, count);

    /// <summary>Writes to pages.</summary>
    public async Proc Write(int first, int count) => await _timed.Touch(Cpu, Process, first, count);

    /// <summary>Reads pages.</summary>
    public async Proc Read(int first, int count) => await _timed.Touch(Cpu, Process, first, count, write: false);

    /// <summary>Writes one byte of each huge page.</summary>
    public async Proc WriteHuge(int first, int huge)
    {
        for (int i = 0; i < huge; i++)
        {
            await _timed.Access(Cpu, Process, first + (i * Huge), true);
        }
    }

    /// <summary>Maps a shared file at the arena.</summary>
    public void MapFile(int pages)
    {
        File = _timed.Kernel.NewFile("x", pages, truncated: true);
        Process.AddSharedFileArea(File, Arena, pages, 0);
        Process.Areas!.Set(Arena, Arena + pages, true, true);
    }

    /// <summary>
    /// After fork every page that the program itself writes, its stack and data, is copied
    /// (<see cref="BenchMachine.OwnPagesAfterFork"/>, docs/fidelity.md).
    /// </summary>
    public async Proc WriteOwnPages() => await Write(OwnFirst, _ownPagesAfterFork);

    /// <inheritdoc/>
    public void TlbFlush(Cpu cpu, long time, TlbFlushReason reason, long pages)
    {
        // Switches of idle CPUs are no events of the program.
        if (_records && reason != TlbFlushReason.TaskSwitch)
        {
            _signature.Add(reason, pages);
        }
    }

    /// <inheritdoc/>
    public void IpiSent(Cpu cpu, long time, CpuSet targets)
    {
    }

    /// <inheritdoc/>
    public void Handler(Cpu cpu, long start, long end, Cpu sender)
    {
    }

    /// <inheritdoc/>
    public void Span(Cpu cpu, long start, long end, string name)
    {
    }

    private long RunAll(int pages, string mode, int helpers)
    {
        TimedMachine machine = _timed.Machine;
        RunOn(0, Prepare);
        for (int i = 1; i <= helpers; i++)
        {
            Cpu cpu = _timed.Cpu(i);
            if (mode == "spin")
            {
                machine.StartAt(cpu, machine.NowOf(Cpu), () => Spin(cpu, Process));
            }
            else if (mode == "spin0")
            {
                Mm other = _timed.NewProcess($"rt-oth{i}");
                machine.StartAt(cpu, machine.NowOf(Cpu), () => Spin(cpu, other));
            }
            else if (mode == "sleep")
            {
                RunOn(i, () => Block(cpu));
            }
        }

        if (mode is "spin" or "spin0" or "sleep")
        {
            RunOn(0, WarmUp);
        }

        RunOn(0, () => _setup(this, pages));
        for (int i = 1; i <= helpers && mode == "lazy"; i++)
        {
            Cpu cpu = _timed.Cpu(i);
            RunOn(i, () => Block(cpu));
        }

        _interruptsBefore = InterruptsNow();
        _records = true;
        long start = machine.NowOf(Cpu);
        RunOn(0, () => _run(this, pages));
        _records = false;
        return machine.NowOf(Cpu) - start;
    }

    private void RunOn(int cpu, Func<Proc> program)
    {
        TimedMachine machine = _timed.Machine;
        bool ended = false;
        machine.StartAt(_timed.Cpu(cpu), machine.NowOf(Cpu), async () =>
        {
            await program();
            ended = true;
        });
        machine.Run(enough: () => ended);
    }

    private async Proc Prepare()
    {
        await _timed.SwitchTo(Cpu, Process);
        await MapAt(OwnFirst, OwnPages);
        await Write(OwnFirst, OwnPages);
    }

    /// <summary>A region comes and goes, tables and all: CPUs that have been idle for long do not have the process loaded any more.</summary>
    private async Proc WarmUp()
    {
        await MapAt(Arena, 1);
        await Write(Arena, 1);
        await _timed.Munmap(Cpu, Process, Arena, 1);
    }

    private async Proc Spin(Cpu cpu, Mm process)
    {
        await _timed.SwitchTo(cpu, process);
        await _timed.Machine.Compute(cpu, SpinNs);
    }

    private async Proc Block(Cpu cpu)
    {
        await _timed.SwitchTo(cpu, Process);
        await _timed.GoIdle(cpu);
    }

    private long InterruptsNow() => _timed.Machine.Cpus.Sum(cpu => cpu.TlbInterrupts);
}
