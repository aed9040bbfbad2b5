namespace Shootdown.Measure;

/// <summary>
/// Predicts flushes by rules that follow the kernel's functions (<see cref="MemoryRules"/>, <see cref="CpuRules"/>). This is a
/// model written for replay and not the kernel code that <c>check</c> explores.
/// </summary>
public sealed class RuleModel : IShootdownModel
{
    private const int PageShift = 12;
    private const long CloneVm = 0x100;
    private readonly MemoryRules _memory;
    private readonly CpuRules _cpus;
    private readonly TaskTable _tasks;
    private bool _seesExec;

    /// <summary>A model of a kernel, for a trace with these names.</summary>
    public RuleModel(KernelProfile profile, NameTable names)
    {
        _memory = new MemoryRules(profile);
        _cpus = new CpuRules(profile);
        _tasks = new TaskTable(names);
    }

    /// <inheritdoc/>
    public void OnSyscallEnter(in TraceEvent call)
    {
        ModelTask task = _tasks.Find(call.Tid, call.Pid, call.Comm);
        if (call.Call is MemoryCall.Mmap or MemoryCall.Munmap or MemoryCall.Madvise or MemoryCall.Mprotect or MemoryCall.Mremap)
        {
            Learn(task, call, call.A0 >>> PageShift);
        }
        else
        {
            Learn(task, call, -1);
        }

        task.Call = call;
        task.InCall = true;
        task.Targets = task.Mm is null ? null : _cpus.Targets(task.Mm, call.Cpu);
        _seesExec |= call.Call == MemoryCall.Execve;
    }

    /// <inheritdoc/>
    public void OnSyscallExit(in TraceEvent call, IPredictedFlushes flushes)
    {
        ModelTask task = _tasks.Find(call.Tid, call.Pid, call.Comm);
        if (!task.InCall || task.Call.Call != call.Call || task.Mm is not { } mm)
        {
            task.InCall = false;
            return;
        }

        task.InCall = false;
        if (call.Call == MemoryCall.Brk && mm.Break == 0 && task.Call.A0 == 0 && !_seesExec)
        {
            // A program asks for its heap once, when it starts: it was executed within the trace.
            Run(mm, call, _memory.Exec(), null, flushes);
        }

        IReadOnlyList<FlushRequest> requests = _memory.Call(mm, task.Call, call.A0);
        if (call.Call is MemoryCall.Mmap or MemoryCall.Brk or MemoryCall.Mremap)
        {
            _tasks.Know(mm);
        }

        TraceEvent cause = call;
        Run(mm, cause, requests, task.Targets, flushes);
    }

    /// <inheritdoc/>
    public void OnFault(in TraceEvent fault, IPredictedFlushes flushes)
    {
        ModelTask task = _tasks.Find(fault.Tid, fault.Pid, fault.Comm);
        Learn(task, fault, fault.A0 >>> PageShift);
        if (task.Mm is { } mm)
        {
            Run(mm, fault, _memory.Fault(mm, fault.A0, fault.A1), null, flushes);
        }
    }

    /// <inheritdoc/>
    public void OnSwitch(in TraceEvent change, IPredictedFlushes flushes)
    {
        if (change.A0 != 0 && (char)change.A4 is 'X' or 'Z')
        {
            End((int)change.A0, change, flushes);
        }

        if (change.A1 == 0)
        {
            _cpus.EnterLazy(change.Cpu);
            return;
        }

        ModelTask next = _tasks.Find((int)change.A1, TraceEvent.Unknown, (int)change.A3);
        _cpus.Switch(change.Cpu, next.Mm);
        if (next.InCall && next.Mm is { } mm)
        {
            next.Targets = _cpus.Targets(mm, change.Cpu);
        }
    }

    /// <inheritdoc/>
    public void OnFork(in TraceEvent fork, IPredictedFlushes flushes)
    {
        ModelTask parent = _tasks.Find(fork.Tid, fork.Pid, fork.Comm);
        int child = (int)fork.A0;
        if (parent.Mm is not { } mm)
        {
            return;
        }

        bool isThread = parent.InCall && (parent.Call.Call is MemoryCall.Clone3 or MemoryCall.Vfork
            || (parent.Call.Call == MemoryCall.Clone && (parent.Call.A0 < 0 || (parent.Call.A0 & CloneVm) != 0)));
        if (isThread)
        {
            _tasks.Join(child, mm);
        }
        else if (parent.InCall)
        {
            // kernel/fork.c, dup_mmap: flush_tlb_mm of the parent, which interrupts lazy CPUs too.
            Run(mm, fork, [FlushRequest.All], null, flushes);
            _tasks.Start(child, mm.Fork());
        }
    }

    /// <inheritdoc/>
    public void OnExit(in TraceEvent exit, IPredictedFlushes flushes) => End(exit.Tid, exit, flushes);

    private void Learn(ModelTask task, in TraceEvent seen, long page)
    {
        AddressSpace? old = task.Mm;
        if (_tasks.Learn(task, seen.Pid, page) is { } wrong && task.Mm is { } right)
        {
            _cpus.Correct(wrong, right);
        }

        if (task.Mm is { } mm && (old is null || seen.Cpu != TraceEvent.Unknown))
        {
            // It runs user code here, whatever was seen before.
            _cpus.Switch(Math.Max(0, seen.Cpu), mm);
        }
    }

    /// <summary>
    /// kernel/exit.c, <c>exit_mm</c>; the last one frees the address space: mm/mmap.c, <c>exit_mmap</c>, one full flush with tables
    /// freed. Its own CPU is lazy by then and drops it.
    /// </summary>
    private void End(int tid, in TraceEvent seen, IPredictedFlushes flushes)
    {
        ModelTask task = _tasks.Find(tid, seen.Tid == tid ? seen.Pid : TraceEvent.Unknown, seen.Comm);
        if (task.IsDead || task.Mm is not { } mm)
        {
            return;
        }

        _tasks.End(tid, task);
        _cpus.EnterLazy(seen.Cpu);
        if (mm.Tasks <= 0)
        {
            TraceEvent cause = seen;
            cause.Tid = tid;
            Run(mm, cause, [FlushRequest.All], null, flushes);
        }
    }

    private void Run(AddressSpace mm, in TraceEvent cause, IReadOnlyList<FlushRequest> requests, CpuTargets? targets, IPredictedFlushes flushes)
    {
        foreach (FlushRequest request in requests)
        {
            targets ??= _cpus.Targets(mm, cause.Cpu);
            flushes.Add(_cpus.Flush(mm, cause, request, targets));
            if (request.FreedTables)
            {
                targets = targets.AfterInterrupt(_memory.Profile.KeepsMask);
            }
        }
    }
}
