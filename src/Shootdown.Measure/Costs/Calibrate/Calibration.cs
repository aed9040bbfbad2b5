using System.Diagnostics;

namespace Shootdown.Measure;

/// <summary>One measured time.</summary>
/// <param name="Name">What was timed.</param>
/// <param name="MedianNs">Median.</param>
/// <param name="LowNs">10th percentile.</param>
/// <param name="HighNs">90th percentile.</param>
/// <param name="ReferenceNs">The same on the machine that <c>costs/default.json</c> describes.</param>
/// <param name="Fields">Fields of a cost file that scale with it.</param>
public sealed record CalibrationRow(string Name, double MedianNs, double LowNs, double HighNs, double ReferenceNs, IReadOnlyList<string> Fields);

/// <summary>Measures what memory operations cost on this machine.</summary>
public static unsafe class Calibration
{
    private const int PageBytes = 4096;
    private const int Samples = 400;
    private const int RegionPages = 512;

    /// <summary>Measures everything that can be measured here; without a second CPU nothing that needs one.</summary>
    public static IReadOnlyList<CalibrationRow> Run(CancellationToken interrupted)
    {
        var rows = new List<CalibrationRow>();
        IReadOnlyList<int> cpus = LinuxCalls.Allowed();
        RunPinned(cpus.Count > 0 ? cpus[0] : 0, () => Alone(rows, interrupted));
        if (cpus.Count > 1)
        {
            RunPinned(cpus[0], () => WithRemote(rows, cpus[1], interrupted));
        }

        return rows;
    }

    /// <summary>On a thread of its own, so that no other thread of the process stays pinned.</summary>
    private static void RunPinned(int cpu, Action work)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                LinuxCalls.Pin(cpu);
                work();
            }
            catch (Exception exception) when (exception is OperationCanceledException or InvalidOperationException)
            {
                failure = exception;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
        {
            throw failure;
        }
    }

    private static void Alone(List<CalibrationRow> rows, CancellationToken interrupted)
    {
        const int calls = 100;
        rows.Add(Measure("system call (getppid)", 123, calls, ["kernel.syscall_ns"], () => Time(() =>
        {
            for (int i = 0; i < calls; i++)
            {
                _ = LinuxCalls.GetParent();
            }
        }), interrupted));
        rows.Add(Measure("fault: first read of a page", 651, RegionPages, ["kernel.fault_ns"], () => OnRegion(Touch, isRead: true), interrupted));
        rows.Add(Measure(
            "fault: first write of a page", 1362, RegionPages, ["memory.allocate_page_ns", "memory.free_page_ns"],
            () => OnRegion(Touch, isRead: false), interrupted));
        rows.Add(Measure("fault: write to the page of zeroes", 1522, RegionPages, ["memory.copy_page_ns"], CopyOnWrite, interrupted));
        rows.Add(Measure("munmap of a page", 3485, 1, ["kernel.munmap_ns", "kernel.mmap_ns", "kernel.mremap_ns"], () => OnPage(UnmapPage), interrupted));
        rows.Add(Measure("madvise(DONTNEED) of a page", 1032, 1, ["kernel.madvise_ns"], () => OnPage(DropPage), interrupted));
        rows.Add(Measure("mprotect of a page", 2553, 1, ["kernel.mprotect_ns"], () => OnPage(ProtectPage), interrupted));
        rows.Add(Measure("context switch (pipe)", 2343, 2, ["kernel.context_switch_ns", "lock.sleep_wake_ns"], new PipePair().RoundTrip, interrupted));
    }

    private static void WithRemote(List<CalibrationRow> rows, int remoteCpu, CancellationToken interrupted)
    {
        bool stop = false;
        bool isRunning = false;
        var remote = new Thread(() =>
        {
            LinuxCalls.Pin(remoteCpu);
            Volatile.Write(ref isRunning, true);
            while (!Volatile.Read(ref stop))
            {
            }
        });
        remote.Start();
        SpinWait.SpinUntil(() => Volatile.Read(ref isRunning));
        try
        {
            if (LinuxCalls.RegisterMembarrier())
            {
                rows.Add(Measure(
                    "interrupt of one CPU and answer (membarrier)",
                    9354,
                    1,
                    ["ipi.send_ns", "ipi.send_each_ns", "ipi.deliver_min_ns", "ipi.deliver_median_ns",
                     "ipi.deliver_p90_ns", "ipi.handler_ns", "ipi.acknowledge_ns"],
                    () => Time(LinuxCalls.Membarrier),
                    interrupted));
            }

            rows.Add(Measure("munmap of a page, one CPU to interrupt", 13871, 1, [], () => OnPage(UnmapPage), interrupted));
            rows.Add(Measure("madvise(DONTNEED) of a page, one CPU to interrupt", 12929, 1, [], () => OnPage(DropPage), interrupted));
            rows.Add(Measure("mprotect of a page, one CPU to interrupt", 13620, 1, [], () => OnPage(ProtectPage), interrupted));
        }
        finally
        {
            Volatile.Write(ref stop, true);
            remote.Join();
        }
    }

    /// <summary>Times an operation many times; each sample is divided by <paramref name="operations"/>.</summary>
    private static CalibrationRow Measure(
        string name, double referenceNs, int operations, IReadOnlyList<string> fields, Func<long> sample, CancellationToken interrupted)
    {
        const int warmUp = 50;
        const int deciles = 10;
        var times = new List<double>(Samples);
        for (int i = -warmUp; i < Samples; i++)
        {
            interrupted.ThrowIfCancellationRequested();
            long ns = sample();
            if (i >= 0)
            {
                times.Add((double)ns / operations);
            }
        }

        times.Sort();
        return new CalibrationRow(name, times[Samples / 2], times[Samples / deciles], times[Samples - Samples / deciles], referenceNs, fields);
    }

    private static long Time(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Nanoseconds(Stopwatch.GetTimestamp() - start);
    }

    /// <summary>Ticks of the stopwatch; <see cref="TimeSpan"/> would round to 100 ns.</summary>
    internal static long Nanoseconds(long ticks) => (long)(ticks * (1e9 / Stopwatch.Frequency));

    private static long OnRegion(Func<nint, bool, long> work, bool isRead)
    {
        byte* region = LinuxCalls.Map(RegionPages * PageBytes);
        _ = LinuxCalls.Advise(region, RegionPages * PageBytes, LinuxCalls.NoHugePage);
        long ns = work((nint)region, isRead);
        _ = LinuxCalls.Unmap(region, RegionPages * PageBytes);
        return ns;
    }

    private static long Touch(nint region, bool isRead) => Time(() =>
    {
        byte* start = (byte*)region;
        for (int page = 0; page < RegionPages; page++)
        {
            if (isRead)
            {
                _ = Volatile.Read(ref start[(nint)page * PageBytes]);
            }
            else
            {
                Volatile.Write(ref start[(nint)page * PageBytes], 1);
            }
        }
    });

    private static long CopyOnWrite() => OnRegion(
        (region, _) =>
        {
            Touch(region, isRead: true);
            return Touch(region, isRead: false);
        },
        isRead: false);

    /// <summary>Times work on the middle one of three touched pages, so that its table stays.</summary>
    private static long OnPage(Func<nint, long> work)
    {
        byte* pages = LinuxCalls.Map(3 * PageBytes);
        _ = LinuxCalls.Advise(pages, 3 * PageBytes, LinuxCalls.NoHugePage);
        for (int page = 0; page < 3; page++)
        {
            Volatile.Write(ref pages[page * PageBytes], 1);
        }

        long ns = work((nint)pages + PageBytes);
        _ = LinuxCalls.Unmap(pages, 3 * PageBytes);
        return ns;
    }

    private static long UnmapPage(nint page) => Time(() => _ = LinuxCalls.Unmap((byte*)page, PageBytes));

    private static long DropPage(nint page) => Time(() => _ = LinuxCalls.Advise((byte*)page, PageBytes, LinuxCalls.DontNeed));

    private static long ProtectPage(nint page) => Time(() => _ = LinuxCalls.Protect((byte*)page, PageBytes, LinuxCalls.ReadOnly));
}
