namespace Shootdown.Measure;

/// <summary>A task as far as a trace shows it.</summary>
internal sealed class TracedTask
{
    /// <summary>Its address space; null for kernel threads and once it has left it.</summary>
    public TracedProcess? Process { get; set; }

    /// <summary>The system call that it is in.</summary>
    public TraceEvent Call { get; set; }

    /// <summary>True while it is in a system call.</summary>
    public bool InCall { get; set; }

    /// <summary>The pages that it faulted in last, as the machine numbers them.</summary>
    public RecentPages Recent { get; } = new();
}

/// <summary>
/// Tasks and which of them share an address space. perf script names the process of a thread. Other formats do not: there
/// a task that faults in memory that another one has mapped is taken for a thread of that one.
/// </summary>
internal sealed class TaskTable(NameTable names)
{
    private static readonly string[] KernelThreads =
    [
        "swapper", "kworker", "ksoftirqd", "migration/", "rcu", "kthreadd", "kswapd", "khugepaged", "kcompactd", "ksmd", "watchdog", "kauditd",
        "jbd2", "irq/", "cpuhp/", "idle_inject", "scsi_", "ext4-", "xfs", "oom_reaper", "writeback", "kblockd", "kdevtmpfs", "kintegrityd",
        "loop", "nvme", "dm-", "kdmflush", "netns", "khungtaskd", "kthrotld", "slub_flushwq", "mm_percpu_wq", "<idle>", "kdamond", "md",
    ];

    private readonly Dictionary<int, TracedTask> _tasks = [];
    private readonly Dictionary<int, TracedProcess> _processes = [];
    private readonly Stack<int> _freeIds = new();
    private int _ids;

    /// <summary>Address spaces in which a call has mapped something, the newest last.</summary>
    private readonly List<TracedProcess> _known = [];

    /// <summary>The task, created as a user task with an address space of its own or as a kernel thread, by its name.</summary>
    public TracedTask Find(int tid, int pid, int comm)
    {
        if (_tasks.TryGetValue(tid, out TracedTask? task))
        {
            return task;
        }

        task = new TracedTask();
        if (!IsKernelThread(tid, names[comm]))
        {
            bool isThread = pid != TraceEvent.Unknown && _processes.ContainsKey(pid);
            Enter(task, isThread ? _processes[pid] : NewProcess());
            if (pid != TraceEvent.Unknown)
            {
                _processes[pid] = task.Process!;
            }
        }

        _tasks.Add(tid, task);
        return task;
    }

    /// <summary>The address space of a process; null if nothing is known of it.</summary>
    public TracedProcess? Process(int pid) => _processes.GetValueOrDefault(pid);

    /// <summary>A user task that was there before the trace began.</summary>
    public TracedTask Begin(int tid, int pid)
    {
        var task = new TracedTask();
        Enter(task, _processes.TryGetValue(pid, out TracedProcess? process) ? process : NewProcess());
        _processes[pid] = task.Process!;
        _tasks[tid] = task;
        return task;
    }

    /// <summary>
    /// A task of user code uses an address: it is no kernel thread, and perhaps a thread of a process that has mapped this
    /// address. Returns the address space that it was thought to have if that changes.
    /// </summary>
    public TracedProcess? Learn(TracedTask task, int pid, long page)
    {
        if (pid != TraceEvent.Unknown && _processes.TryGetValue(pid, out TracedProcess? process))
        {
            return task.Process == process ? null : Enter(task, process);
        }

        if (pid != TraceEvent.Unknown && task.Process is not null)
        {
            _processes[pid] = task.Process;
        }

        if (task.Process is { IsUnknown: false })
        {
            return null;
        }

        TracedProcess? owner = pid == TraceEvent.Unknown ? _known.FindLast(known => known.Areas.Find(page) is not null) : null;
        return owner is not null && owner != task.Process ? Enter(task, owner)
            : task.Process is null ? Enter(task, NewProcess())
            : null;
    }

    /// <summary>Something is known of an address space now: others may turn out to be its threads.</summary>
    public void Know(TracedProcess process)
    {
        process.IsUnknown = false;
        if (!_known.Contains(process))
        {
            _known.Add(process);
        }
    }

    /// <summary>A new process gets a copy of its parent's address space.</summary>
    public TracedProcess Start(int tid, TracedProcess parent)
    {
        TracedProcess child = parent.Fork(NewId());
        _tasks[tid] = new TracedTask { Process = child };
        _processes[tid] = child;
        return child;
    }

    /// <summary>A new thread shares one.</summary>
    public void Join(int tid, TracedProcess process)
    {
        process.Tasks++;
        _tasks[tid] = new TracedTask { Process = process };
    }

    /// <summary>A task executes a program: it gets an empty address space. Returns the one that it leaves.</summary>
    public TracedProcess? Execute(int tid, int pid, TracedTask task)
    {
        TracedProcess? old = Enter(task, NewProcess());
        _processes[pid == TraceEvent.Unknown ? tid : pid] = task.Process!;
        Know(task.Process!);
        return old;
    }

    /// <summary>A task ends, and is forgotten. Returns its address space.</summary>
    public TracedProcess? End(int tid)
    {
        if (!_tasks.Remove(tid, out TracedTask? task) || task.Process is not { } process)
        {
            return null;
        }

        task.Process = null;
        process.Tasks--;
        return process;
    }

    /// <summary>An address space that nobody lives in any more is forgotten; its number is used again.</summary>
    public void Forget(TracedProcess process)
    {
        _known.Remove(process);
        foreach (int pid in _processes.Where(pair => pair.Value == process).Select(pair => pair.Key).ToArray())
        {
            _processes.Remove(pid);
        }

        _freeIds.Push(process.Id);
    }

    private TracedProcess NewProcess() => new(NewId());

    private int NewId() => _freeIds.TryPop(out int id) ? id : _ids++;

    private static TracedProcess? Enter(TracedTask task, TracedProcess process)
    {
        TracedProcess? old = task.Process;
        if (old is not null)
        {
            old.Tasks--;
        }

        process.Tasks++;
        task.Process = process;
        return old;
    }

    private static bool IsKernelThread(int tid, string name)
        => tid == 0 || Array.Exists(KernelThreads, prefix => name.StartsWith(prefix, StringComparison.Ordinal));
}
