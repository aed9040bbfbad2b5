using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Measure;

/// <summary>One run of a workload: its kernel, its time and its random numbers.</summary>
internal sealed class WorkloadRun
{
    private readonly ulong[] _random;
    private readonly List<(Cpu Cpu, Func<Proc> Program)> _programs = [];
    private Func<Proc>? _preparation;

    internal WorkloadRun(TimedKernel kernel, long durationNs, ulong seed)
    {
        Kernel = kernel;
        DurationNs = durationNs;
        _random = [.. Enumerable.Range(0, kernel.Machine.Cpus.Count).Select(cpu => (seed * 1_000_003) + (ulong)cpu)];
    }

    internal TimedKernel Kernel { get; }

    internal long DurationNs { get; }

    /// <summary>When its time begins: behind the preparation.</summary>
    internal long StartNs { get; private set; }

    internal int Cpus => Kernel.Machine.Cpus.Count;

    /// <summary>What the threads got done, in units of the workload.</summary>
    internal long Work { get; set; }

    /// <summary>True while the CPU has time left.</summary>
    internal bool HasTime(Cpu cpu) => Kernel.Machine.NowOf(cpu) < StartNs + DurationNs;

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

    /// <summary>The lowest address of the CPU's part that the kernel would hand out: the same one each time, unless it keeps addresses.</summary>
    internal int FreeAddress(Cpu cpu, Mm process, int pages)
    {
        int first = PartOf(cpu);
        while (Kernel.Kernel.Munmap.IsAddressKept(process, first, pages))
        {
            first += pages;
        }

        return first;
    }

    /// <summary>A process whose threads share one heap; the first page of it.</summary>
    internal (Mm Process, int Heap) NewHeap(string name, int pages)
    {
        Mm process = Kernel.NewProcess(name);
        int heap = PartOf(Kernel.Cpu(0));
        process.Areas!.Set(heap, heap + pages, true, true);
        return (process, heap);
    }

    /// <summary>A process with an area in every CPU's part.</summary>
    internal Mm NewParts(string name, int pages)
    {
        Mm process = Kernel.NewProcess(name);
        foreach (TimedCpu cpu in Kernel.Machine.Cpus)
        {
            process.Areas!.Set(PartOf(cpu.Cpu), PartOf(cpu.Cpu) + pages, true, true);
        }

        return process;
    }

    /// <summary>A program on every CPU but the last, as threads of a process; the last one runs a thread of the kernel.</summary>
    internal void StartBesideKernelThread(Mm process, Func<Cpu, Proc> program, Func<Cpu, Proc> kernelThread)
    {
        foreach (TimedCpu cpu in Kernel.Machine.Cpus)
        {
            bool isLast = cpu.Cpu.Index == Cpus - 1;
            StartThread(cpu.Cpu, isLast ? null : process, isLast ? kernelThread : program);
        }
    }

    /// <summary>Runs the same program on every CPU, as a thread of a process.</summary>
    internal void StartThreads(Mm process, Func<Cpu, Proc> program)
    {
        foreach (TimedCpu cpu in Kernel.Machine.Cpus)
        {
            StartThread(cpu.Cpu, process, program);
        }
    }

    /// <summary>Runs a program on a CPU, as a thread of a process, or of the kernel if it is null.</summary>
    internal void StartThread(Cpu cpu, Mm? process, Func<Cpu, Proc> program)
    {
        _programs.Add((cpu, Run));

        async Proc Run()
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
        }
    }

    /// <summary>A thread of a process that runs alone, before the time of the workload begins: it fills memory.</summary>
    internal void Prepare(Mm process, Func<Cpu, Proc> program)
    {
        Cpu first = Kernel.Cpu(0);
        _preparation = async () =>
        {
            await Kernel.SwitchTo(first, process);
            await program(first);
        };
    }

    /// <summary>Runs the preparation, and makes all programs ready to start behind it.</summary>
    internal void Begin()
    {
        if (_preparation is not null)
        {
            Kernel.Machine.Start(Kernel.Cpu(0), _preparation);
            Kernel.Machine.Run();
            StartNs = Kernel.Machine.Now;
        }

        foreach ((Cpu cpu, Func<Proc> program) in _programs)
        {
            Kernel.Machine.StartAt(cpu, StartNs, program);
        }
    }
}
