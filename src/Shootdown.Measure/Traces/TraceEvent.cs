namespace Shootdown.Measure;

/// <summary>What an event of a trace says. The comment names what its values mean.</summary>
public enum TraceEventKind : byte
{
    /// <summary>No event.</summary>
    None,

    /// <summary>A system call begins: <see cref="TraceEvent.Call"/>, its arguments in <c>A0</c> to <c>A4</c>.</summary>
    SyscallEnter,

    /// <summary>A system call ends: result in <c>A0</c>, negative error numbers included.</summary>
    SyscallExit,

    /// <summary>A fault of user code: address <c>A0</c>, error code <c>A1</c> (x86 bits: 1 present, 2 write, 4 user, 16 fetch).</summary>
    PageFault,

    /// <summary>A fault of kernel code on user memory (copy_to_user, put_user), in a call or in front of a task's first step: as <see cref="PageFault"/>.</summary>
    KernelFault,

    /// <summary>A CPU changes its task: from task <c>A0</c> (name <c>A2</c>, state <c>A4</c>) to task <c>A1</c> (name <c>A3</c>).</summary>
    SchedSwitch,

    /// <summary>tlb:tlb_flush: reason <c>A0</c> (<see cref="FlushReason"/>), pages <c>A1</c> (-1 a full flush).</summary>
    TlbFlush,

    /// <summary>An interrupt is sent to other CPUs: number of targets <c>A0</c>, 1 in <c>A2</c> if a call.</summary>
    IpiSend,

    /// <summary>A function-call interrupt begins on this CPU.</summary>
    InterruptEnter,

    /// <summary>A function-call interrupt ends on this CPU.</summary>
    InterruptExit,

    /// <summary>
    /// A task is created: its id <c>A0</c>, its name <c>A1</c>; in a replay also its process <c>A2</c> if later events tell it, else
    /// <see cref="TraceEvent.Unknown"/>.
    /// </summary>
    Fork,

    /// <summary>A task ends.</summary>
    Exit,

    /// <summary>
    /// A frame of the call stack of the CPU's event before: symbol <c>A0</c> (a name; 0 if unknown), 1 in <c>A1</c> if kernel code, the file that
    /// it is in <c>A2</c> (a name; 0 if unknown).
    /// </summary>
    StackFrame,

    /// <summary>An event that this program has no use for.</summary>
    Other,
}

/// <summary>Reasons of tlb:tlb_flush (include/trace/events/tlb.h, <c>enum tlb_flush_reason</c>).</summary>
public enum FlushReason
{
    /// <summary>TLB_FLUSH_ON_TASK_SWITCH.</summary>
    TaskSwitch = 0,

    /// <summary>TLB_REMOTE_SHOOTDOWN: this CPU was interrupted and flushed.</summary>
    RemoteShootdown = 1,

    /// <summary>TLB_LOCAL_SHOOTDOWN: this CPU flushed for reclaim's batch.</summary>
    LocalShootdown = 2,

    /// <summary>TLB_LOCAL_MM_SHOOTDOWN: the initiator flushed its own TLB.</summary>
    LocalMmShootdown = 3,

    /// <summary>TLB_REMOTE_SEND_IPI: the initiator found other CPUs in mm_cpumask. No interrupt if they all are lazy.</summary>
    RemoteSendIpi = 4,

    /// <summary>TLB_REMOTE_WRONG_CPU: this CPU was interrupted and had switched away.</summary>
    RemoteWrongCpu = 5,
}

/// <summary>System calls that change address spaces.</summary>
public enum MemoryCall : byte
{
    /// <summary>Another call.</summary>
    Other,

    /// <summary>mmap: address, length, protection, flags, file descriptor.</summary>
    Mmap,

    /// <summary>munmap: address, length.</summary>
    Munmap,

    /// <summary>madvise: address, length, advice.</summary>
    Madvise,

    /// <summary>mprotect: address, length, protection.</summary>
    Mprotect,

    /// <summary>mremap: old address, old length, new length, flags, new address.</summary>
    Mremap,

    /// <summary>brk: address.</summary>
    Brk,

    /// <summary>fork.</summary>
    Fork,

    /// <summary>vfork.</summary>
    Vfork,

    /// <summary>clone: flags first.</summary>
    Clone,

    /// <summary>clone3: flags are behind a pointer.</summary>
    Clone3,

    /// <summary>exit.</summary>
    Exit,

    /// <summary>exit_group.</summary>
    ExitGroup,

    /// <summary>execve.</summary>
    Execve,

    /// <summary>fsync.</summary>
    Fsync,

    /// <summary>msync.</summary>
    Msync,

    /// <summary>process_madvise: advice in <c>A2</c>.</summary>
    ProcessMadvise,

    /// <summary>membarrier.</summary>
    Membarrier,

    /// <summary>move_pages.</summary>
    MovePages,

    /// <summary>pkey_mprotect: as mprotect.</summary>
    PkeyMprotect,

    /// <summary>mlock: address, length.</summary>
    Mlock,
}

/// <summary>
/// One event of a trace, whatever wrote it. A plain value: reading allocates nothing per event. Names are numbers of
/// <see cref="NameTable"/>.
/// </summary>
public struct TraceEvent
{
    /// <summary>Value of <see cref="Cpu"/>, <see cref="Pid"/> where the trace does not say.</summary>
    public const int Unknown = -1;

    /// <summary>Time in nanoseconds of the trace's clock.</summary>
    public long TimeNs;

    /// <summary>The CPU, or <see cref="Unknown"/>.</summary>
    public int Cpu;

    /// <summary>The thread.</summary>
    public int Tid;

    /// <summary>The process, or <see cref="Unknown"/>.</summary>
    public int Pid;

    /// <summary>Name of the thread (comm).</summary>
    public int Comm;

    /// <summary>What happened.</summary>
    public TraceEventKind Kind;

    /// <summary>The system call, for system calls.</summary>
    public MemoryCall Call;

    /// <summary>Name of an <see cref="MemoryCall.Other"/> call or <see cref="TraceEventKind.Other"/> event.</summary>
    public int Name;

    /// <summary>True if the thread belongs to what a replay was asked for; a reader leaves it false.</summary>
    public bool IsSelected;

    /// <summary>The same for the task that a <see cref="TraceEventKind.SchedSwitch"/> goes to.</summary>
    public bool IsNextSelected;

    /// <summary>Values; see <see cref="TraceEventKind"/>.</summary>
    public long A0, A1, A2, A3, A4;
}
