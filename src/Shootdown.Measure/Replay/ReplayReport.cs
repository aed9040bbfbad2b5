namespace Shootdown.Measure;

/// <summary>Which part of a trace is asked for: all of it, one process, or threads by name.</summary>
/// <param name="Pid">Process; in formats that name no processes, a thread.</param>
/// <param name="Comm">Beginning of the threads' names.</param>
public sealed record ReplaySelection(int? Pid, string? Comm)
{
    /// <summary>The whole trace.</summary>
    public static ReplaySelection All { get; } = new(null, null);

    /// <summary>True if nothing is left out.</summary>
    public bool IsAll => Pid is null && Comm is null;

    /// <summary>True if a thread belongs to the selection.</summary>
    public bool Holds(int pid, int tid, string comm)
        => (Pid is null || pid == Pid || tid == Pid) && (Comm is null || comm.StartsWith(Comm, StringComparison.Ordinal));
}

/// <summary>Numbers of flushes.</summary>
public sealed record FlushCounts
{
    /// <summary>The initiator's own flushes, TLB_LOCAL_MM_SHOOTDOWN.</summary>
    public long LocalMm { get; set; }

    /// <summary>Own flushes for reclaim's batch, TLB_LOCAL_SHOOTDOWN.</summary>
    public long Local { get; set; }

    /// <summary>Flushes that found other CPUs in mm_cpumask, TLB_REMOTE_SEND_IPI.</summary>
    public long SendIpi { get; set; }

    /// <summary>Flushes in interrupted CPUs, TLB_REMOTE_SHOOTDOWN.</summary>
    public long Remote { get; set; }

    /// <summary>Interrupted CPUs; more than <see cref="Remote"/> if lazy CPUs are among them. Null if not known: tlb_flush events do not say.</summary>
    public long? Interrupts { get; set; }
}

/// <summary>What one cause did.</summary>
public sealed record CauseRow
{
    /// <summary>The system call, fault or kernel thread under way when the flush was logged.</summary>
    public required string Cause { get; init; }

    /// <summary>Flushes.</summary>
    public long Flushes { get; set; }

    /// <summary>Flushes that found other CPUs in the mask.</summary>
    public long Shootdowns { get; set; }

    /// <summary>Shootdowns that no CPU answered: all others were lazy or idle.</summary>
    public long Unanswered { get; set; }

    /// <summary>Full flushes.</summary>
    public long Full { get; set; }

    /// <summary>CPUs that were interrupted and flushed.</summary>
    public long Remote { get; set; }

    /// <summary>Time that initiators waited, from the send to the last CPU's flush.</summary>
    public long WaitNs { get; set; }
}

/// <summary>Flushes of a size.</summary>
/// <param name="Name">Pages.</param>
/// <param name="Flushes">Flushes.</param>
/// <param name="Shootdowns">Those that found other CPUs in the mask.</param>
/// <param name="Remote">CPUs that were interrupted and flushed.</param>
public sealed record SizeRow(string Name, long Flushes, long Shootdowns, long Remote);

/// <summary>A thread that sends or receives.</summary>
public sealed record ThreadRow
{
    /// <summary>Name.</summary>
    public required string Comm { get; set; }

    /// <summary>Id.</summary>
    public required int Tid { get; init; }

    /// <summary>Shootdowns that it began.</summary>
    public long Shootdowns { get; set; }

    /// <summary>CPUs that these interrupted.</summary>
    public long Sent { get; set; }

    /// <summary>Time that it waited for other CPUs.</summary>
    public long WaitNs { get; set; }

    /// <summary>Longest of these waits.</summary>
    public long WaitMaxNs { get; set; }

    /// <summary>Times that it was interrupted to flush.</summary>
    public long Received { get; set; }

    /// <summary>Time that these interrupts took; 0 if the trace has no ends of interrupts.</summary>
    public long InterruptedNs { get; set; }
}

/// <summary>A system call of a trace without flushes.</summary>
/// <param name="Call">Name.</param>
/// <param name="Count">Calls.</param>
/// <param name="Pages">Pages of their ranges.</param>
/// <param name="TimeNs">Time in the calls that returned.</param>
public sealed record CallRow(string Call, long Count, long Pages, long TimeNs);

/// <summary>A call site of shootdowns.</summary>
/// <param name="Symbol">First frame of user code outside of the C library ("via" the library's), else the library's, else the kernel's above the flush.</param>
/// <param name="Shootdowns">Shootdowns from there.</param>
public sealed record SiteRow(string Symbol, long Shootdowns);

/// <summary>Prediction against recording.</summary>
/// <param name="Kernel">The kernel that was replayed.</param>
/// <param name="Predicted">From system calls, faults and switches alone.</param>
/// <param name="Recorded">From tlb_flush events; null if the trace has none.</param>
/// <param name="RecordedInterrupts">TLB interrupts that the kernel counted; null if the trace does not say.</param>
/// <param name="LazySpared">Interrupts that lazy TLB mode saved.</param>
/// <param name="NotModelled">What of the trace has no form in the kernel library, with how often.</param>
public sealed record PredictionRow(
    string Kernel, FlushCounts Predicted, FlushCounts? Recorded, long? RecordedInterrupts, long LazySpared,
    IReadOnlyDictionary<string, long> NotModelled);

/// <summary>What one flush design does to the recorded program.</summary>
/// <param name="Name">The design.</param>
/// <param name="Summary">What it does, in one line.</param>
/// <param name="Costs">What the selected threads' calls, faults and switches cost.</param>
/// <param name="HeldPeakBytes">Memory that nothing mapped any more and that it kept from the allocator, at most.</param>
/// <param name="HeldByteSeconds">The same over time: one byte for one second.</param>
public sealed record PolicyRow(string Name, string Summary, ReplayCosts Costs, long HeldPeakBytes, double HeldByteSeconds);

/// <summary>The recorded program under several flush designs.</summary>
/// <param name="CostFile">Where the costs come from.</param>
/// <param name="OnCpuNs">Nanoseconds that the selected threads were on a CPU in the recording.</param>
/// <param name="PagesAgain">Pages that a thread is taken to use again after its TLB was flushed.</param>
/// <param name="Rows">The recorded kernel, then the designs that were asked for.</param>
public sealed record PolicyTable(string CostFile, long OnCpuNs, int PagesAgain, IReadOnlyList<PolicyRow> Rows);

/// <summary>Counts over time.</summary>
/// <param name="StartNs">Time of the first bucket.</param>
/// <param name="BucketNs">Width of a bucket.</param>
/// <param name="Sent">Shootdowns begun, by CPU and bucket.</param>
/// <param name="Received">Flushes in interrupted CPUs, by CPU and bucket.</param>
public sealed record TimelineData(long StartNs, long BucketNs, IReadOnlyList<long[]> Sent, IReadOnlyList<long[]> Received);

/// <summary>All that a replay says about a trace.</summary>
public sealed record ReplayReport
{
    /// <summary>The file.</summary>
    public required string File { get; init; }

    /// <summary>Its format.</summary>
    public required TraceFormat Format { get; init; }

    /// <summary>What was selected.</summary>
    public required ReplaySelection Selection { get; init; }

    /// <summary>Lines.</summary>
    public long Lines { get; init; }

    /// <summary>Events of the whole trace.</summary>
    public long Events { get; init; }

    /// <summary>Events of the selection.</summary>
    public long SelectedEvents { get; init; }

    /// <summary>Time from the first to the last event.</summary>
    public long DurationNs { get; init; }

    /// <summary>CPUs that have events.</summary>
    public int Cpus { get; init; }

    /// <summary>Recorded flushes; null if the trace has none at all.</summary>
    public FlushCounts? Recorded { get; init; }

    /// <summary>Flushes when a CPU changed its task that had missed some.</summary>
    public long TaskSwitchFlushes { get; init; }

    /// <summary>Context switches.</summary>
    public long Switches { get; init; }

    /// <summary>Switches to the idle task or a kernel thread, after which the CPU is lazy.</summary>
    public long LazySwitches { get; init; }

    /// <summary>Interrupted CPUs whose shootdown could not be told: its begin is not in the trace.</summary>
    public long Unmatched { get; init; }

    /// <summary>Interrupts that found the address space gone, TLB_REMOTE_WRONG_CPU.</summary>
    public long WrongCpu { get; init; }

    /// <summary>By cause, the most interrupts first.</summary>
    public required IReadOnlyList<CauseRow> Causes { get; init; }

    /// <summary>By size.</summary>
    public required IReadOnlyList<SizeRow> Sizes { get; init; }

    /// <summary>By thread, the most interrupts first.</summary>
    public required IReadOnlyList<ThreadRow> Threads { get; init; }

    /// <summary>By call site, if the trace has stacks.</summary>
    public required IReadOnlyList<SiteRow> Sites { get; init; }

    /// <summary>System calls, if the trace has no flushes.</summary>
    public required IReadOnlyList<CallRow> Calls { get; init; }

    /// <summary>Interrupts by initiator's CPU (first index) and interrupted CPU.</summary>
    public required IReadOnlyList<long[]> Heat { get; init; }

    /// <summary>Counts over time; null if the trace has no flushes.</summary>
    public TimelineData? Timeline { get; init; }

    /// <summary>Prediction; null if the trace lacks what it needs.</summary>
    public PredictionRow? Prediction { get; init; }

    /// <summary>The same under other flush designs; null if none was asked for, or the trace lacks what it needs.</summary>
    public PolicyTable? Policies { get; init; }

    /// <summary>Figures that are left out, and what the trace would have to have.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>What is wrong with the trace.</summary>
    public required IReadOnlyList<TraceProblem> Problems { get; init; }
}
