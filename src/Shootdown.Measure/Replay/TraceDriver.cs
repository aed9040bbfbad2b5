namespace Shootdown.Measure;

/// <summary>
/// Makes kernels do what a trace shows: finds out which threads share an address space and what is mapped where, and carries out system
/// calls, faults, switches, forks and exits. Never looks at flushes or interrupts.
/// </summary>
internal sealed partial class TraceDriver
{
    private const int PageShift = 12;
    private const long CloneVm = 0x100;

    private static readonly HashSet<string> NotModelledCalls = [.. MemoryCalls.NotModelled];

    private readonly IReadOnlyList<ReplayedKernel> _kernels;
    private readonly NameTable _names;
    private readonly TaskTable _tasks;
    private readonly CallWindow _window = new();
    private readonly Dictionary<string, long> _notModelled = new(StringComparer.Ordinal);
    private readonly TracedTask?[] _current;
    private readonly long[] _runsSinceNs;
    private long _startNs = -1;
    private bool _seesExec;

    /// <summary>Makes a driver.</summary>
    /// <param name="kernels">What it drives, all in the same way.</param>
    /// <param name="cpus">CPUs that they have.</param>
    /// <param name="names">Names of the trace.</param>
    public TraceDriver(IReadOnlyList<ReplayedKernel> kernels, int cpus, NameTable names)
    {
        _kernels = kernels;
        _current = new TracedTask?[cpus];
        _runsSinceNs = new long[cpus];
        _names = names;
        _tasks = new TaskTable(names);
    }

    /// <summary>False if reclaim takes no anonymous page.</summary>
    public bool HasSwap { get; init; } = true;

    /// <summary>When faults map huge pages.</summary>
    public HugePageMode HugePages { get; init; } = HugePageMode.Madvise;

    /// <summary>True if areas of MAP_STACK may have huge pages.</summary>
    public bool StacksMayBeHuge { get; init; }

    /// <summary>Pages that a thread uses again after a flush; 0 if refills are not asked for.</summary>
    public int RecentMax { get; init; }

    /// <summary>Highest CPU that had an event, more one.</summary>
    public int Cpus { get; private set; }

    /// <summary>Nanoseconds that selected threads were on a CPU.</summary>
    public long OnCpuNs { get; private set; }

    /// <summary>What the kernels were not made to do, because the library has no form for it, with how often.</summary>
    public IReadOnlyDictionary<string, long> NotModelled => _notModelled;

    /// <summary>Takes the next event.</summary>
    public void Add(in TraceEvent next)
    {
        Cpus = Math.Max(Cpus, next.Cpu + 1);
        if (next.Cpu >= _current.Length)
        {
            return;
        }

        _window.Add(next);
        while (_window.TryTake(out TraceEvent ready, out OpenCall? runs))
        {
            CarryOut(ready, runs);
        }
    }

    /// <summary>The trace is over.</summary>
    public void Finish()
    {
        while (_window.TryTake(out TraceEvent ready, out OpenCall? runs, isEnd: true))
        {
            CarryOut(ready, runs);
        }
    }

    private void CarryOut(in TraceEvent next, OpenCall? runs)
    {
        _startNs = _startNs < 0 ? next.TimeNs : _startNs;
        if (RecentMax > 0 && _current[next.Cpu] is { Process: { } running } task && next.Tid != 0)
        {
            ReplayPoint at = At(next);
            foreach (ReplayedKernel kernel in _kernels)
            {
                kernel.UseAgain(at, running.Id, task.Recent);
            }
        }

        switch (next.Kind)
        {
            case TraceEventKind.SyscallEnter:
                OnSyscallEnter(next);
                break;
            case TraceEventKind.SyscallExit:
                OnSyscallExit(next);
                break;
            case TraceEventKind.PageFault:
                OnFault(next);
                break;
            case TraceEventKind.KernelFault when !IsInExec(next):
                OnFault(next);
                break;
            case TraceEventKind.SchedSwitch:
                OnSwitch(next);
                break;
            case TraceEventKind.Fork:
                OnFork(next);
                break;
            case TraceEventKind.Exit:
                End(next.Tid, next);
                break;
            default:
                break;
        }

        if (runs is not null && _tasks.Find(runs.Enter.Tid, runs.Enter.Pid, runs.Enter.Comm).Process is { } process)
        {
            TraceEvent there = next;
            (there.Tid, there.Pid, there.Comm, there.IsSelected) = (runs.Enter.Tid, runs.Enter.Pid, runs.Enter.Comm, runs.Enter.IsSelected);
            Call(At(there), process, runs.Enter, runs.Result);
        }
    }

    private void OnSyscallEnter(in TraceEvent call)
    {
        TracedTask task = _tasks.Find(call.Tid, call.Pid, call.Comm);
        bool hasAddress = call.Call is MemoryCall.Mmap or MemoryCall.Munmap or MemoryCall.Madvise or MemoryCall.Mprotect or MemoryCall.Mremap;
        Learn(task, call, hasAddress ? call.A0 >>> PageShift : -1);
        task.Call = call;
        task.InCall = true;
    }

    private void OnSyscallExit(in TraceEvent call)
    {
        TracedTask task = _tasks.Find(call.Tid, call.Pid, call.Comm);
        bool wasExec = task.InCall && task.Call.Call == MemoryCall.Execve && call.Call == MemoryCall.Execve && call.A0 == 0;
        if (task.InCall && call.A0 >= 0)
        {
            NoteUnknownCall(task.Call);
        }

        task.InCall = false;
        if (wasExec)
        {
            _seesExec = true;
            Execute(task, call);
        }
    }

    private void OnFault(in TraceEvent fault)
    {
        const int present = 1;
        const int write = 2;
        TracedTask task = _tasks.Find(fault.Tid, fault.Pid, fault.Comm);
        long address = fault.A0 >>> PageShift;
        Learn(task, fault, address);
        if (task.Process is not { } process)
        {
            return;
        }

        int page = process.Places.PageOf(address);
        if (page < 0)
        {
            NoteNotModelled("fault of scattered addresses");
            return;
        }

        bool isWrite = (fault.A1 & write) != 0;
        Area? area = process.Areas.Find(address);
        if (area is { } known && !(isWrite ? AreaList.IsWritable(known.Protection) : AreaList.IsAccessible(known.Protection)))
        {
            // A signal for the program (a guard page, a barrier of a garbage collector), and nothing is mapped.
            return;
        }

        ReplayPoint at = At(fault);
        bool isPresent = (fault.A1 & present) != 0;
        if (!isPresent)
        {
            DoubtHugePage(at, process, address);
        }

        bool triesHuge = !isPresent && isWrite && MapsHugePage(process, address);
        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.Know(process.Id, page, 1, isWrite);
            if (triesHuge)
            {
                kernel.FaultHuge(at, process.Id, page);
            }
            else
            {
                kernel.Fault(at, process.Id, page, isWrite, isPresent, area?.Kind ?? AreaKind.PrivateFile);
            }
        }

        if (triesHuge && _kernels[0].IsHuge(process.Id, page))
        {
            NoteHugePage(at, process, address);
        }

        if (RecentMax > 0)
        {
            task.Recent.Add(page, RecentMax);
        }
    }

    /// <summary>fs/binfmt_elf.c fills the new address space before execve returns; here it begins when it has.</summary>
    private bool IsInExec(in TraceEvent fault)
        => _tasks.Find(fault.Tid, fault.Pid, fault.Comm) is { InCall: true, Call.Call: MemoryCall.Execve };

    private void OnSwitch(in TraceEvent change)
    {
        CountTime(change);
        if (change.A0 != 0 && (char)change.A4 is 'X' or 'Z')
        {
            End((int)change.A0, change);
        }

        TracedTask? next = change.A1 == 0 ? null : _tasks.Find((int)change.A1, TraceEvent.Unknown, (int)change.A3);
        _current[change.Cpu] = next;
        TraceEvent there = change;
        (there.Tid, there.Pid, there.Comm, there.IsSelected) = ((int)change.A1, TraceEvent.Unknown, (int)change.A3, change.IsNextSelected);
        ReplayPoint at = At(there);
        foreach (ReplayedKernel kernel in _kernels)
        {
            if (next?.Process is { } process)
            {
                kernel.SwitchTo(at, process.Id);
            }
            else
            {
                kernel.EnterLazy(at);
            }
        }
    }

    private void OnFork(in TraceEvent fork)
    {
        TracedTask parent = _tasks.Find(fork.Tid, fork.Pid, fork.Comm);
        if (parent.Process is not { } process)
        {
            return;
        }

        int child = (int)fork.A0;
        bool isTraced = parent.InCall && parent.Call.Call is MemoryCall.Fork or MemoryCall.Vfork or MemoryCall.Clone or MemoryCall.Clone3;
        if (!isTraced && fork.A2 == TraceEvent.Unknown)
        {
            NoteNotModelled("new task without the call that made it (trace sys_enter_clone, clone3, fork and vfork)");
            return;
        }

        // Without the call its process tells: a thread has that of its parent. A child of vfork is taken for one of fork then.
        bool sharesMemory = !isTraced ? fork.A2 != child
            : parent.Call.Call is MemoryCall.Clone3 or MemoryCall.Vfork
                || (parent.Call.Call == MemoryCall.Clone && (parent.Call.A0 < 0 || (parent.Call.A0 & CloneVm) != 0));
        if (sharesMemory)
        {
            _tasks.Join(child, process);
            return;
        }

        TracedProcess copy = _tasks.Start(child, process);
        ReplayPoint at = At(fork);
        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.Fork(at, process.Id, copy.Id);
        }
    }

    /// <summary>It runs user code here, whatever was seen before.</summary>
    private void Learn(TracedTask task, in TraceEvent seen, long page)
    {
        TracedProcess? old = _tasks.Learn(task, seen.Pid, page);
        if (task.Process is not { } process)
        {
            return;
        }

        _current[seen.Cpu] = task;
        ReplayPoint at = At(seen);
        foreach (ReplayedKernel kernel in _kernels)
        {
            if (old is not null)
            {
                kernel.Correct(at, old.Id, process.Id);
            }

            kernel.SwitchTo(at, process.Id);
        }

        Release(old, at with { IsSelected = false });
    }

    /// <summary>fs/exec.c, <c>begin_new_exec</c>: a new address space, and the end of the old one if nobody else lives there.</summary>
    private void Execute(TracedTask task, in TraceEvent seen)
    {
        TracedProcess? old = _tasks.Execute(seen.Tid, seen.Pid, task);
        task.Recent.Clear();
        ReplayPoint at = At(seen);
        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.SwitchTo(at, task.Process!.Id);
        }

        Release(old, at);
        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.SetUpArgPages(at, task.Process!.Id);
        }
    }

    /// <summary>kernel/exit.c, <c>exit_mm</c>: the CPU is lazy from then on.</summary>
    private void End(int tid, in TraceEvent seen)
    {
        if (_tasks.End(tid) is not { } process)
        {
            return;
        }

        TraceEvent ended = seen;
        ended.Tid = tid;
        ReplayPoint at = At(ended);
        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.EnterLazy(at);
        }

        Release(process, at);
    }

    private void Release(TracedProcess? process, in ReplayPoint at)
    {
        if (process is not { Tasks: <= 0 })
        {
            return;
        }

        foreach (ReplayedKernel kernel in _kernels)
        {
            kernel.Exit(at, process.Id);
        }

        _tasks.Forget(process);
    }

    private ReplayPoint At(in TraceEvent seen)
        => new(Math.Max(0, seen.Cpu), Math.Max(0, seen.TimeNs - _startNs), seen.Tid, seen.IsSelected);

    private void CountTime(in TraceEvent change)
    {
        long now = Math.Max(0, change.TimeNs - _startNs);
        if (change.A0 != 0 && change.IsSelected)
        {
            OnCpuNs += Math.Max(0, now - _runsSinceNs[change.Cpu]);
        }

        _runsSinceNs[change.Cpu] = now;
    }

    /// <summary>Calls that may flush and have no form in the library: what they do is in no prediction.</summary>
    private void NoteUnknownCall(in TraceEvent call)
    {
        string name = call.Call == MemoryCall.Other ? _names[call.Name] : MemoryCalls.NameOf(call.Call);
        if (NotModelledCalls.Contains(name))
        {
            NoteNotModelled(OperationNames.Of(call, _names));
        }
    }

    private void NoteNotModelled(string what) => _notModelled[what] = _notModelled.GetValueOrDefault(what) + 1;
}
