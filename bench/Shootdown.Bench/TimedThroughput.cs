// Programs of a timed machine are run once and never snapshotted.
#pragma warning disable SHOOT003, SHOOT007

using System.Globalization;
using System.Runtime.CompilerServices;
using Shootdown.Kernel;
using Shootdown.Machine;
using Shootdown.Measure;

namespace Shootdown.Bench;

/// <summary>
/// How fast the timed machine runs kernel code, on one thread and in CPU time: system calls and page faults of each workload, what a
/// shootdown costs the host against the CPUs that it interrupts, and the bytes that a mapped page takes.
/// </summary>
internal static class TimedThroughput
{
    private const int Repetitions = 3;
    private const int Cpus = 8;
    private const int LargestMachine = 512;
    private const long DurationNs = 200_000_000;
    private const int Interrupts = 400_000;
    private const int WarmUps = 20;
    private const int MappedPages = 1 << 23;
    private const int FirstPage = 1 << 20;

    /// <summary>Prints the tables; arguments select workloads.</summary>
    public static int Run(string[] names)
    {
        string[] unknown = [.. names.Where(name => Workload.Find(name) is null)];
        if (unknown.Length > 0)
        {
            Console.Error.WriteLine($"no workload is called {unknown[0]}; there are {string.Join(", ", Workload.All.Select(w => w.Name))}");
            return 2;
        }

        Workloads(Workload.All.Where(w => names.Length == 0 || names.Contains(w.Name)));
        if (names.Length == 0)
        {
            Interrupted();
            Pages();
        }

        return 0;
    }

    private static void Workloads(IEnumerable<Workload> workloads)
    {
        Line($"{Cpus} CPUs            calls      work  interrupts/call   CPU s  calls/CPU s  ns/call  bytes/call");
        foreach (Workload workload in workloads)
        {
            Measurement.Run(workload, FlushPolicy.All[0], Cpus, DurationNs);
            long before = GC.GetAllocatedBytesForCurrentThread();
            (Measurement run, double seconds) = Median(() => Measurement.Run(workload, FlushPolicy.All[0], Cpus, DurationNs));
            double bytes = (double)(GC.GetAllocatedBytesForCurrentThread() - before) / Repetitions / run.Calls;
            Line(
                $"{workload.Name,-16} {run.Calls,8} {run.Work,9} {(double)run.TlbInterrupts / run.Calls,16:0.00} {seconds,7:0.00} "
                + $"{run.Calls / seconds,12:0} {seconds * 1e9 / run.Calls,8:0} {bytes,11:0}");
        }
    }

    /// <summary>One CPU writes a page and gives it back; some others run the same process, the rest of the machine another one.</summary>
    private static void Interrupted()
    {
        Line($"\n{LargestMachine} CPUs: interrupted  ns a fault and a shootdown  ns of it an interrupt  on a machine of just those CPUs");
        for (int i = 0; i < WarmUps; i++)
        {
            ShootNs(Cpus, 1 + (i % Cpus));
        }

        double alone = 0;
        for (int running = 1; running <= LargestMachine; running *= 2)
        {
            double large = Enumerable.Range(0, Repetitions).Min(_ => ShootNs(LargestMachine, running));
            double small = Enumerable.Range(0, Repetitions).Min(_ => ShootNs(running, running));
            alone = running == 1 ? large : alone;
            string each = running == 1 ? "-" : ((large - alone) / (running - 1)).ToString("0", CultureInfo.InvariantCulture);
            Line($"{running - 1,23} {large,27:0} {each,22} {small,33:0}");
        }
    }

    /// <summary>Nanoseconds of CPU time of one fault and one shootdown; the machine is made before.</summary>
    private static double ShootNs(int cpus, int running)
    {
        var kernel = new TimedKernel(TimedProfile.Linux612, cpus);
        Mm process = kernel.NewProcess("p");
        Mm other = kernel.NewProcess("other");
        for (int i = 1; i < cpus; i++)
        {
            Cpu cpu = kernel.Cpu(i);
            Mm runs = i < running ? process : other;
            kernel.Machine.Start(cpu, async () => await kernel.SwitchTo(cpu, runs));
        }

        kernel.Machine.Run();
        int shootdowns = Interrupts / (running + 7);
        TimeSpan start = Environment.CpuUsage.TotalTime;
        kernel.Machine.Start(kernel.Cpu(0), async () =>
        {
            Cpu cpu = kernel.Cpu(0);
            await kernel.SwitchTo(cpu, process);
            await kernel.Mmap(cpu, process, FirstPage, 1);
            for (int i = 0; i < shootdowns; i++)
            {
                await kernel.Access(cpu, process, FirstPage, true);
                await kernel.MadviseDontneed(cpu, process, FirstPage, 1);
            }
        });
        kernel.Machine.Run();
        return (Environment.CpuUsage.TotalTime - start).TotalSeconds * 1e9 / shootdowns;
    }

    private static void Pages()
    {
        long before = GC.GetTotalMemory(true);
        TimeSpan start = Environment.CpuUsage.TotalTime;
        var kernel = new TimedKernel(TimedProfile.Linux612, 1, 1 << 26);
        Mm process = kernel.NewProcess("p");
        kernel.Machine.Start(kernel.Cpu(0), async () =>
        {
            await kernel.SwitchTo(kernel.Cpu(0), process);
            await kernel.Mmap(kernel.Cpu(0), process, FirstPage, MappedPages);
            await kernel.Touch(kernel.Cpu(0), process, FirstPage, MappedPages);
        });
        kernel.Machine.Run();
        double ns = (Environment.CpuUsage.TotalTime - start).TotalSeconds * 1e9 / MappedPages;
        double bytes = (double)(GC.GetTotalMemory(true) - before) / MappedPages;
        Line($"\n{MappedPages} pages mapped and written: {bytes:0.0} bytes and {ns:0} ns a page");
        GC.KeepAlive(kernel);
    }

    private static (T Run, double Seconds) Median<T>(Func<T> work)
    {
        (T Run, double Seconds)[] runs = [.. Enumerable.Range(0, Repetitions).Select(_ =>
        {
            TimeSpan before = Environment.CpuUsage.TotalTime;
            T run = work();
            return (run, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
        })];
        return runs.OrderBy(run => run.Seconds).ElementAt(Repetitions / 2);
    }

    private static void Line(DefaultInterpolatedStringHandler text) => Console.WriteLine(text.ToStringAndClear());
}
