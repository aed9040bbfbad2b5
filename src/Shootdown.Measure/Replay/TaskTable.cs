namespace Shootdown.Measure;

/// <summary>A task as the model sees it.</summary>
internal sealed class ModelTask
{
    /// <summary>Its address space; null for kernel threads.</summary>
    public AddressSpace? Mm { get; set; }

    /// <summary>The system call that it is in.</summary>
    public TraceEvent Call { get; set; }

    /// <summary>True while it is in a system call.</summary>
    public bool InCall { get; set; }

    /// <summary>Other CPUs in its mask when it last had the chance to flush: at the call's begin, or when it last got a CPU.</summary>
    public CpuTargets? Targets { get; set; }

    /// <summary>True if it has left its address space.</summary>
    public bool IsDead { get; set; }
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

    private readonly Dictionary<int, ModelTask> _tasks = [];
    private readonly Dictionary<int, AddressSpace> _processes = [];

    /// <summary>Address spaces in which a call has mapped something, the newest last.</summary>
    private readonly List<AddressSpace> _known = [];

    /// <summary>The task, created as a user task with an address space of its own or as a kernel thread, by its name.</summary>
    public ModelTask Find(int tid, int pid, int comm)
    {
        if (_tasks.TryGetValue(tid, out ModelTask? task))
        {
            return task;
        }

        task = new ModelTask();
        if (!IsKernelThread(tid, names[comm]))
        {
            bool isThread = pid != TraceEvent.Unknown && _processes.ContainsKey(pid);
            task.Mm = isThread ? _processes[pid] : new AddressSpace();
            task.Mm.Tasks++;
            if (pid != TraceEvent.Unknown)
            {
                _processes[pid] = task.Mm;
            }
        }

        _tasks.Add(tid, task);
        return task;
    }

    /// <summary>
    /// A task of user code uses an address: it is no kernel thread, and perhaps a thread of a process that has mapped this
    /// address. Returns the address space that it was thought to have if that changes.
    /// </summary>
    public AddressSpace? Learn(ModelTask task, int pid, long page)
    {
        if (pid != TraceEvent.Unknown && _processes.TryGetValue(pid, out AddressSpace? process))
        {
            return task.Mm == process ? null : Replace(task, process);
        }

        if (pid != TraceEvent.Unknown && task.Mm is not null)
        {
            _processes[pid] = task.Mm;
        }

        if (task.Mm is { IsUnknown: false })
        {
            return null;
        }

        AddressSpace? owner = pid == TraceEvent.Unknown ? _known.FindLast(mm => mm.Areas.Find(page) is not null) : null;
        if (owner is not null && owner != task.Mm)
        {
            return Replace(task, owner);
        }

        if (task.Mm is null)
        {
            return Replace(task, new AddressSpace());
        }

        return null;
    }

    /// <summary>Something is known of an address space now: others may turn out to be its threads.</summary>
    public void Know(AddressSpace mm)
    {
        mm.IsUnknown = false;
        if (!_known.Contains(mm))
        {
            _known.Add(mm);
        }
    }

    /// <summary>A new process gets an address space.</summary>
    public void Start(int tid, AddressSpace mm)
    {
        _tasks[tid] = new ModelTask { Mm = mm };
        _processes[tid] = mm;
    }

    /// <summary>A new thread shares one.</summary>
    public void Join(int tid, AddressSpace mm)
    {
        mm.Tasks++;
        _tasks[tid] = new ModelTask { Mm = mm };
    }

    /// <summary>A task ends. Forgets it, and its address space if it was the last.</summary>
    public void End(int tid, ModelTask task)
    {
        task.IsDead = true;
        _tasks.Remove(tid);
        if (task.Mm is { } mm && --mm.Tasks <= 0)
        {
            _known.Remove(mm);
            mm.Family.Members--;
            foreach (int pid in _processes.Where(pair => pair.Value == mm).Select(pair => pair.Key).ToArray())
            {
                _processes.Remove(pid);
            }
        }
    }

    private static AddressSpace? Replace(ModelTask task, AddressSpace mm)
    {
        AddressSpace? old = task.Mm;
        if (old is not null)
        {
            old.Tasks--;
        }

        mm.Tasks++;
        task.Mm = mm;
        return old;
    }

    private static bool IsKernelThread(int tid, string name)
        => tid == 0 || Array.Exists(KernelThreads, prefix => name.StartsWith(prefix, StringComparison.Ordinal));
}
