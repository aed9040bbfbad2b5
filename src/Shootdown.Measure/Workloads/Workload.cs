using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>A built-in workload: what each CPU of a machine runs until the time is over. The same seed gives the same run.</summary>
public abstract class Workload
{
    /// <summary>Name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>What it does, in one line.</summary>
    public abstract string Summary { get; }

    /// <summary>All workloads, by name.</summary>
    public static IReadOnlyList<Workload> All { get; } =
    [
        new AllocatorPurge(),
        new ForkServer(),
        new MadviseStorm(),
        new MigrationWorkload(),
        new MmapFileServer(),
        new MunmapStorm(),
        new NumaBalancing(),
        new ReclaimUnderPressure(),
    ];

    /// <summary>A workload by name; null if there is none.</summary>
    public static Workload? Find(string name) => All.FirstOrDefault(workload => workload.Name == name);

    /// <summary>Makes processes and starts a program on each CPU.</summary>
    internal abstract void Start(WorkloadRun run);
}

/// <summary>One run of a workload: its kernel, its time and its random numbers.</summary>
internal sealed class WorkloadRun
{
    private readonly ulong[] _random;

    internal WorkloadRun(TimedKernel kernel, long durationNs, ulong seed)
    {
        Kernel = kernel;
        DurationNs = durationNs;
        _random = [.. Enumerable.Range(0, kernel.Machine.Cpus.Count).Select(cpu => (seed * 1_000_003) + (ulong)cpu)];
    }

    internal TimedKernel Kernel { get; }

    internal long DurationNs { get; }

    internal int Cpus => Kernel.Machine.Cpus.Count;

    /// <summary>What the threads got done, in units of the workload.</summary>
    internal long Work { get; set; }

    /// <summary>True while the CPU has time left.</summary>
    internal bool HasTime(Cpu cpu) => Kernel.Machine.NowOf(cpu) < DurationNs;

    /// <summary>A number from 0 to count - 1, from the CPU's own sequence (SplitMix64).</summary>
    internal int Random(Cpu cpu, int count)
    {
        ref ulong state = ref _random[cpu.Index];
        state += 0x9e3779b97f4a7c15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return (int)((z ^ (z >> 31)) % (ulong)count);
    }

    /// <summary>The pages of a CPU's own part of an address space: parts are far apart, in tables of their own.</summary>
    internal static int PartOf(Cpu cpu) => (cpu.Index + 1) << 20;

    /// <summary>Runs the same program on every CPU, as a thread of a process.</summary>
    internal void StartThreads(Mm process, Func<Cpu, Proc> program)
    {
        foreach (TimedCpu cpu in Kernel.Machine.Cpus)
        {
            StartThread(cpu.Cpu, process, program);
        }
    }

    /// <summary>Runs a program on a CPU, as a thread of a process, or of the kernel if it is null.</summary>
    internal void StartThread(Cpu cpu, Mm? process, Func<Cpu, Proc> program) => Kernel.Machine.Start(cpu, async () =>
    {
        if (process is not null)
        {
            await Kernel.SwitchTo(cpu, process);
        }

        await program(cpu);
        if (process is not null)
        {
            await Kernel.GoIdle(cpu);
        }
    });
}
