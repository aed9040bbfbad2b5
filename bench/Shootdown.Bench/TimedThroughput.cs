using System.Globalization;
using Shootdown.Measure;

namespace Shootdown.Bench;

/// <summary>
/// How fast the timed machine runs kernel code: system calls and page faults a second of CPU time on one thread, at several numbers of
/// CPUs. The last column is the cost of a call beside that of the smallest machine: it should grow no faster than the interrupts.
/// </summary>
internal static class TimedThroughput
{
    private const int Repetitions = 3;
    private const long DurationNs = 200_000_000;
    private static readonly int[] CpuCounts = [2, 8, 32, 64];

    /// <summary>Prints the table; arguments select workloads.</summary>
    public static int Run(string[] names)
    {
        string[] unknown = [.. names.Where(name => Workload.Find(name) is null)];
        if (unknown.Length > 0)
        {
            Console.Error.WriteLine($"no workload is called {unknown[0]}; there are {string.Join(", ", Workload.All.Select(w => w.Name))}");
            return 2;
        }

        Console.WriteLine("workload          CPUs      calls  interrupts   CPU s  calls/s  ns/call  interrupts/call  cost x  interrupts x");
        foreach (Workload workload in Workload.All.Where(w => names.Length == 0 || names.Contains(w.Name)))
        {
            Measurement.Run(workload, FlushPolicy.All[0], CpuCounts[0], DurationNs);
            (double Ns, double Interrupts) first = default;
            foreach (int cpus in CpuCounts)
            {
                (Measurement run, double seconds) = Median(workload, cpus);
                double ns = seconds * 1e9 / run.Calls;
                double interrupts = (double)run.TlbInterrupts / run.Calls;
                first = first.Ns == 0 ? (ns, interrupts) : first;
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{workload.Name,-16} {cpus,5} {run.Calls,10} {run.TlbInterrupts,11} {seconds,7:0.00} {run.Calls / seconds,8:0} {ns,8:0} "
                    + $"{interrupts,16:0.00} {ns / first.Ns,7:0.0} {interrupts / first.Interrupts,13:0.0}"));
            }
        }

        return 0;
    }

    private static (Measurement Run, double Seconds) Median(Workload workload, int cpus)
    {
        (Measurement Run, double Seconds)[] runs = [.. Enumerable.Range(0, Repetitions).Select(_ =>
        {
            TimeSpan before = Environment.CpuUsage.TotalTime;
            Measurement run = Measurement.Run(workload, FlushPolicy.All[0], cpus, DurationNs);
            return (run, (Environment.CpuUsage.TotalTime - before).TotalSeconds);
        })];
        return runs.OrderBy(run => run.Seconds).ElementAt(Repetitions / 2);
    }
}
