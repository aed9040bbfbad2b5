using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// Performs the operations of kernel code at once, for a machine that measures: state of real size (<see cref="TimedMemory"/>,
/// <see cref="TimedTables"/>), a clock a CPU, and no choices. What makes a CPU wait, and what waiting costs, is decided by the derived
/// class. A <see cref="MachineModel"/> made with one needs no agents and is never sealed. An operation of a <see cref="Cpu"/> that has no
/// counterpart here has no timed form: awaiting it ends the run with an error that names it.
/// </summary>
public abstract partial class TimedExecution
{
    private readonly Dictionary<int, Operation> _waits = [];
    private long[] _clock = [];

    /// <summary>
    /// A path that has ended and did nothing that can wait, for a method that a timed machine has in place of one of kernel code.
    /// </summary>
    public static Proc EndedAtOnce => default;

    /// <summary>Words.</summary>
    public TimedMemory Memory { get; } = new();

    /// <summary>Page tables and frames.</summary>
    public TimedTables Tables { get; private set; } = null!;

    /// <summary>The machine that it runs; set when the machine is built.</summary>
    public MachineModel Machine { get; private set; } = null!;

    /// <summary>Virtual time of every CPU, in nanoseconds.</summary>
    protected long[] Clock => _clock;

    /// <summary>Nanoseconds of a load or store of kernel memory.</summary>
    protected int WordNs { get; set; } = 1;

    /// <summary>Nanoseconds of a locked instruction on a word of kernel memory.</summary>
    protected int AtomicNs { get; set; } = 1;

    /// <summary>Nanoseconds of an exchange of a page-table entry.</summary>
    protected int EntryAtomicNs { get; set; } = 1;

    /// <summary>Nanoseconds of taking a page from the allocator and clearing it.</summary>
    protected int AllocNs { get; set; } = 1;

    /// <summary>Nanoseconds of taking a huge page from the allocator and clearing it.</summary>
    protected int AllocHugeNs { get; set; } = 1;

    /// <summary>Nanoseconds of giving a page back.</summary>
    protected int FreeNs { get; set; } = 1;

    /// <summary>Nanoseconds of copying a page.</summary>
    protected int CopyNs { get; set; } = 1;

    /// <summary>True while somebody waits for a word to change: only then is <see cref="Changed"/> called.</summary>
    protected bool HasWatchers { get; set; }

    /// <summary>Now, for a CPU.</summary>
    public long NowOf(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        return _clock[cpu.Index];
    }

    internal void Attach(MachineModel machine)
    {
        Machine = machine;
        _clock = new long[machine.Options.Cpus];
        Tables = new TimedTables(machine, Memory);
    }

    /// <summary>Time passes on a CPU.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected void Spend(Cpu cpu, int nanoseconds) => _clock[cpu.Index] += nanoseconds;

    internal long Load(Cpu cpu, Word word)
    {
        Spend(cpu, word.Kind == WordKind.Local ? 0 : WordNs);
        return unchecked((long)Memory.Read(word.Address));
    }

    internal Op Store(Cpu cpu, Word word, ulong value)
    {
        Spend(cpu, word.Kind == WordKind.Local ? 0 : WordNs);
        Memory.Write(word.Address, value);
        if (HasWatchers && word.Kind != WordKind.Local)
        {
            Changed(cpu, word.Address);
        }

        return Op.Done;
    }

    internal long Modify(Cpu cpu, Word word, MemoryAction action, ulong operand, ulong expected)
    {
        ulong old = Memory.Read(word.Address);
        ulong now = action switch
        {
            MemoryAction.Exchange => operand,
            MemoryAction.AddReturn => old + operand,
            MemoryAction.FetchOr => old | operand,
            MemoryAction.FetchAnd => old & operand,
            _ => old == expected ? operand : old,
        };
        Memory.Write(word.Address, now);
        if (word.Kind == WordKind.Local)
        {
            return unchecked((long)(action == MemoryAction.AddReturn ? now : old));
        }

        Spend(cpu, AtomicNs);
        if (HasWatchers)
        {
            Changed(cpu, word.Address);
        }

        return unchecked((long)(action == MemoryAction.AddReturn ? now : old));
    }

    internal Op Fence(Cpu cpu)
    {
        Spend(cpu, AtomicNs);
        return Op.Done;
    }

    internal long EntryRead(Cpu cpu, PageTable table, int page)
    {
        Spend(cpu, WordNs);
        return unchecked((long)Tables.Entry(table, page));
    }

    internal Op EntryStore(Cpu cpu, PageTable table, int page, Pte value)
    {
        Spend(cpu, WordNs);
        Tables.Set(table, page, value);

        return Op.Done;
    }

    internal long EntryModify(Cpu cpu, PageTable table, int page, EntryAction action, Pte value, Pte expected)
    {
        Spend(cpu, EntryAtomicNs);
        var old = new Pte(Tables.Entry(table, page));
        Tables.Set(table, page, action switch
        {
            EntryAction.Exchange => value,
            EntryAction.ClearBits => old.Without(value.Bits),
            _ => old == expected ? value : old,
        });
        return unchecked((long)old.Bits);
    }

    internal long AllocFrame(Cpu cpu)
    {
        Spend(cpu, AllocNs);
        return Tables.AllocFrame();
    }

    internal long AllocHugeFrames(Cpu cpu)
    {
        Spend(cpu, AllocHugeNs);
        return Tables.AllocHuge();
    }

    internal Op PutFrames(Cpu cpu, FrameSet frames)
    {
        foreach (int frame in frames)
        {
            if (Tables.Put(frame))
            {
                Spend(cpu, FreeNs);
            }
        }

        return Op.Done;
    }

    internal Op FreeFrames(Cpu cpu, FrameSet frames)
    {
        foreach (int frame in frames)
        {
            Spend(cpu, FreeNs);
            Tables.FreeFrame(frame);
        }

        return Op.Done;
    }

    internal long TryGetFrame(Cpu cpu, int frame)
    {
        Spend(cpu, AtomicNs);
        ref uint count = ref Memory.Frames.RefCount(frame);
        if (count == 0)
        {
            return 0;
        }

        count++;
        return 1;
    }

    internal long CompareFrames(Cpu cpu, int frame, int other)
    {
        Spend(cpu, CopyNs);
        return Memory.OfFrame(frame, FrameSlot.Content) == Memory.OfFrame(other, FrameSlot.Content) ? 1 : 0;
    }

    internal Op CopyFrame(Cpu cpu, int from, int to)
    {
        Spend(cpu, CopyNs);
        Memory.Frames.Write(to, FrameSlot.Content, Memory.Frames.Read(from, FrameSlot.Content));

        return Op.Done;
    }

    internal long WriteFrame(Cpu cpu, int frame)
    {
        WriteOut(cpu, frame);
        return unchecked((long)Memory.Frames.Read(frame, FrameSlot.Content));
    }

    internal Op Assert(Cpu cpu, bool holds, string message)
    {
        if (!holds)
        {
            AssertFailed(cpu, message);
        }

        return Op.Done;
    }

    internal long AllocTable(Cpu cpu, AddressSpace space, int level, int page)
    {
        Spend(cpu, AllocNs);
        return Tables.AllocTable(space, level, page);
    }

    internal Op FreeTable(Cpu cpu, int table)
    {
        Spend(cpu, FreeNs);
        Tables.FreeTable(table);

        return Op.Done;
    }

    /// <summary>A word that others can see was written: whoever waits for it may go on.</summary>
    public abstract void Changed(Cpu cpu, int address);

    /// <summary>Takes an exclusive lock.</summary>
    public abstract Op Lock(Cpu cpu, Word word, bool sleeps);

    /// <summary>Tries to take an exclusive lock; true if it was taken.</summary>
    public abstract bool TryLock(Cpu cpu, Word word);

    /// <summary>Releases an exclusive lock.</summary>
    public abstract Op Unlock(Cpu cpu, Word word);

    /// <summary>Takes a reader-writer semaphore.</summary>
    public abstract Op Down(Cpu cpu, RwSemaphore semaphore, bool write);

    /// <summary>Releases a reader-writer semaphore.</summary>
    public abstract Op Up(Cpu cpu, RwSemaphore semaphore, bool write);

    /// <summary>A writer becomes a reader.</summary>
    public abstract Op Downgrade(Cpu cpu, RwSemaphore semaphore);

    /// <summary>Waits until a word meets a condition.</summary>
    public abstract Op<ulong> WaitUntil(Cpu cpu, Word word, Condition condition, ulong operand);

    /// <summary>Interrupts are turned off or on.</summary>
    public abstract Op SetInterrupts(Cpu cpu, bool off);

    /// <summary>Sends a cross-call; wide carries what one word cannot.</summary>
    public abstract Op SendIpi(Cpu cpu, in CpuSet mask, int function, ulong argument, ulong wide);

    /// <summary>Waits for the answers to the last cross-call.</summary>
    public abstract Op AwaitAcknowledgements(Cpu cpu);

    /// <summary>The argument of the sender's last cross-call, and what one word could not carry.</summary>
    public abstract (ulong Argument, ulong Wide) ArgumentOf(Cpu sender);

    /// <summary>Work that is due at the next scheduler tick of every CPU of the mask.</summary>
    public abstract Op RaiseTick(Cpu cpu, in CpuSet mask, int function);

    /// <summary>INVLPGB of a page of an ASID on all CPUs, or of all its pages if the page is negative.</summary>
    public abstract Op Broadcast(Cpu cpu, int asid, int page);

    /// <summary>TLBSYNC: waits for the broadcasts of this CPU.</summary>
    public abstract Op AwaitBroadcasts(Cpu cpu);

    /// <summary>
    /// Frames that nothing maps any more are kept from the allocator until TLBs have been flushed; negative when they go back to it.
    /// </summary>
    public abstract void HoldBack(Cpu cpu, int frames);

    /// <summary>Writes CR3.</summary>
    public abstract Op LoadRoot(Cpu cpu, AddressSpace? space, int asid, bool keep);

    /// <summary>INVLPG, or a flush of the current PCID if the page is negative.</summary>
    public abstract Op Invalidate(Cpu cpu, int page);

    /// <summary>A user access; the result is that of <see cref="AccessResult"/>.</summary>
    public abstract long Access(Cpu cpu, int page, bool write, int value);

    /// <summary>A frame's contents go to disk.</summary>
    public abstract void WriteOut(Cpu cpu, int frame);

    /// <summary>A frame's contents come from disk.</summary>
    public abstract void ReadIn(Cpu cpu, int frame);

    /// <summary>A callback runs after a grace period.</summary>
    public abstract Op CallRcu(Cpu cpu, Func<Cpu, ulong, Proc> callback, ulong argument);

    /// <summary>A condition that kernel code asserts is false.</summary>
    public abstract void AssertFailed(Cpu cpu, string message);

    /// <summary>A TLB flush, as the kernel's tracepoint tells it.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <param name="reason">Why.</param>
    /// <param name="pages">Pages, in units of the tracepoint; -1 for all.</param>
    public abstract void TraceTlbFlush(Cpu cpu, TlbFlushReason reason, long pages);

    /// <summary>The TLB row of /proc/interrupts counts.</summary>
    public abstract void CountTlbInterrupt(Cpu cpu);

    /// <summary>What a program waits for, for messages; made once for all that wait for the same.</summary>
    protected static Operation NewWait(string text) => new WaitingOperation(text);

    /// <summary>What programs wait for that wait for a lock or another word, for messages.</summary>
    protected Operation WaitOn(Word word)
    {
        ArgumentNullException.ThrowIfNull(word);
        if (!_waits.TryGetValue(word.Address, out Operation? wait))
        {
            _waits.Add(word.Address, wait = NewWait(word.Name));
        }

        return wait;
    }

    /// <summary>An operation that the program waits for.</summary>
    protected static Op Waiting(Operation wait) => new(wait);

    /// <summary>An operation with a result that the program waits for.</summary>
    protected static Op<ulong> WaitingForValue(Operation wait) => new(wait);

    /// <summary>An operation that has been performed.</summary>
    protected static Op Performed => Op.Done;

    /// <summary>An operation that has been performed, with its result.</summary>
    protected static Op<ulong> PerformedWith(ulong result) => Op<ulong>.DoneWith(unchecked((long)result));
}

/// <summary>Why a TLB is flushed (include/trace/events/tlb.h, <c>enum tlb_flush_reason</c>).</summary>
public enum TlbFlushReason
{
    /// <summary>A switch to another address space.</summary>
    TaskSwitch,

    /// <summary>Another CPU asked.</summary>
    RemoteShootdown,

    /// <summary>This CPU's part of a flush of no particular address space.</summary>
    LocalShootdown,

    /// <summary>This CPU's part of a flush of an address space.</summary>
    LocalMmShootdown,

    /// <summary>Other CPUs are asked.</summary>
    RemoteSendIpi,

    /// <summary>Another CPU asked, and the address space is not loaded any more (since 6.14).</summary>
    RemoteWrongCpu,
}
