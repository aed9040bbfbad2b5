using System.Globalization;

namespace Shootdown.Measure;

/// <summary>
/// Where the threads of user processes are: a trace begins in the middle, and whose address space a CPU has loaded decides whom the first flushes
/// interrupt. Read from /proc, which takes a while, so it is true but for those that move meanwhile; their next switch is in the trace.
/// </summary>
public static class RunningTasks
{
    private const string Proc = "/proc";

    /// <summary>Fields of /proc/PID/task/TID/stat behind the name, proc_pid_stat(5): 3 state, 23 vsize, 39 processor.</summary>
    private const int State = 0;
    private const int VirtualSize = 20;
    private const int Processor = 36;

    /// <summary>All threads with an address space; on each CPU at most one is the last that ran there.</summary>
    public static IReadOnlyList<RecordedTask> Read()
    {
        var tasks = new List<RecordedTask>();
        var last = new Dictionary<int, (double Since, int Index)>();
        foreach (int pid in Numbers(Proc))
        {
            foreach (int tid in Numbers($"{Proc}/{pid}/task"))
            {
                string path = $"{Proc}/{pid}/task/{tid}";
                if (TaskOf(path, pid, tid) is not { } task)
                {
                    continue;
                }

                double since = task.IsRunning ? double.MaxValue : RanLast(path);
                if (since > 0 && (!last.TryGetValue(task.Cpu, out (double Since, int Index) other) || since > other.Since))
                {
                    last[task.Cpu] = (since, tasks.Count);
                }

                tasks.Add(task);
            }
        }

        foreach ((double _, int index) in last.Values)
        {
            tasks[index] = tasks[index] with { IsLast = true };
        }

        return tasks;
    }

    private static RecordedTask? TaskOf(string path, int pid, int tid)
    {
        string stat = KernelFiles.Read($"{path}/stat");
        string[] fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > Processor && fields[VirtualSize] != "0" && fields[State] is not ("Z" or "X")
            && int.TryParse(fields[Processor], NumberStyles.None, CultureInfo.InvariantCulture, out int cpu)
            ? new RecordedTask(tid, pid, cpu, IsLast: false, IsRunning: fields[State] == "R") : null;
    }

    /// <summary>When the thread was last on a CPU, in the scheduler's milliseconds; 0 if the kernel does not tell (CONFIG_SCHED_DEBUG).</summary>
    private static double RanLast(string path)
    {
        const string name = "se.exec_start";
        string sched = KernelFiles.Read($"{path}/sched");
        int line = sched.IndexOf(name, StringComparison.Ordinal);
        int colon = line < 0 ? -1 : sched.IndexOf(':', line);
        int end = colon < 0 ? -1 : sched.IndexOf('\n', colon);
        return end > 0 && double.TryParse(sched.AsSpan(colon + 1, end - colon - 1), CultureInfo.InvariantCulture, out double since) ? since : 0;
    }

    private static IEnumerable<int> Numbers(string folder)
    {
        try
        {
            return [.. Directory.EnumerateDirectories(folder).Select(Path.GetFileName)
                .Where(name => name!.All(char.IsAsciiDigit)).Select(name => int.Parse(name!, CultureInfo.InvariantCulture))];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile.
            return [];
        }
    }
}
