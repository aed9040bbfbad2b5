using System.Runtime.CompilerServices;

namespace Shootdown.Machine;

/// <summary>
/// A CPU as kernel code sees it: every method is one indivisible step that is awaited. Grouped by part: memory and
/// locks here, page tables and TLB in <c>Cpu.Paging.cs</c>.
/// </summary>
public sealed partial class Cpu : MachineHandle
{
    private readonly TimedExecution? _timed;

    internal Cpu(MachineModel machine, int index)
        : base(machine)
    {
        Index = index;
        _timed = machine.Timed;
        InterruptsOffAddress = machine.Allocate($"cpu{index}.interrupts_off", WordKind.Hardware);
        InInterruptAddress = machine.Allocate($"cpu{index}.in_interrupt", WordKind.Hardware);
        RootAddress = machine.Allocate($"cpu{index}.cr3", WordKind.Hardware);
        AsidAddress = machine.Allocate($"cpu{index}.pcid", WordKind.Hardware);
        PreemptCount = machine.NewLocalWord(this, $"cpu{index}.preempt_count", 0, new WordPlace("preempt_count", index));
        machine.Describe(InterruptsOffAddress, new WordPlace("interrupts_off", index));
        machine.Describe(InInterruptAddress, new WordPlace("in_interrupt", index));
        machine.Describe(RootAddress, new WordPlace("cr3", index));
        machine.Describe(AsidAddress, new WordPlace("pcid", index));
    }

    /// <summary>A translation agent of a device: it has a root register and holds translations, but executes nothing.</summary>
    internal Cpu(MachineModel machine, int index, Device device)
        : base(machine)
    {
        Index = index;
        Device = device;
        RootAddress = machine.Allocate($"{device.Name}.root", WordKind.Hardware);
        AsidAddress = machine.Allocate($"{device.Name}.pasid", WordKind.Hardware);
        PreemptCount = null!;
        InterruptsOffAddress = -1;
        InInterruptAddress = -1;
    }

    /// <summary>The device whose translations this holds; null for a CPU.</summary>
    public Device? Device { get; }

    /// <summary>Number of the CPU, from 0.</summary>
    public int Index { get; }

    /// <summary>This CPU's bit in a set that is one word; on machines of up to 64 CPUs. <see cref="CpuSet"/> knows no such bound.</summary>
    public ulong Bit => Index < 64 ? 1UL << Index : throw new ProcRuleException($"{this} has no bit in one word: use CpuSet and CpuMask");

    /// <summary>Depth of <c>preempt_disable</c>.</summary>
    public Word PreemptCount { get; }

    /// <summary>Address of the word that is 1 while the CPU has interrupts off.</summary>
    public int InterruptsOffAddress { get; }

    /// <summary>Address of the word that is 1 while the CPU handles an interrupt: its task stands still.</summary>
    public int InInterruptAddress { get; }

    /// <summary>0: kernel page tables only, else 1 + the number of the loaded address space.</summary>
    internal int RootAddress { get; }

    internal int AsidAddress { get; }

    /// <inheritdoc/>
    public override string ToString() => Device?.ToString() ?? $"CPU{Index}";

    /// <summary><c>READ_ONCE</c>, or an acquire load. Here and below, text is what a report shows instead of the word.</summary>
    public Op<ulong> Load(
        Word word, MemoryOrder order = MemoryOrder.Relaxed, StepWeight weight = StepWeight.Detail,
        [InterpolatedStringHandlerArgument("")] OperationText text = default)
        => _timed is { } timed ? Op<ulong>.DoneWith(timed.Load(this, word))
            : new(new MemoryOperation(this, word, MemoryAction.Load, 0, 0, order, weight, text.Text));

    /// <summary><c>WRITE_ONCE</c>, or a release store.</summary>
    public Op Store(Word word, ulong value, MemoryOrder order = MemoryOrder.Relaxed, StepWeight weight = StepWeight.Detail)
    {
        if (_timed is { } timed)
        {
            timed.Store(this, word, value);
            return Op.Done;
        }

        return new(new MemoryOperation(this, word, MemoryAction.Store, value, 0, order, weight));
    }

    /// <summary><c>atomic_add_return</c>: fully ordered; returns the new value.</summary>
    public Op<ulong> AddReturn(
        Word word, long delta, StepWeight weight = StepWeight.Context,
        [InterpolatedStringHandlerArgument("")] OperationText text = default)
        => _timed is { } timed ? Op<ulong>.DoneWith(timed.Modify(this, word, MemoryAction.AddReturn, unchecked((ulong)delta), 0))
            : new(new MemoryOperation(this, word, MemoryAction.AddReturn, unchecked((ulong)delta), 0, MemoryOrder.Full, weight, text.Text));

    /// <summary><c>atomic_fetch_or</c>: fully ordered; returns the old value.</summary>
    public Op<ulong> FetchOr(
        Word word, ulong bits, StepWeight weight = StepWeight.Context,
        [InterpolatedStringHandlerArgument("")] OperationText text = default)
        => _timed is { } timed ? Op<ulong>.DoneWith(timed.Modify(this, word, MemoryAction.FetchOr, bits, 0))
            : new(new MemoryOperation(this, word, MemoryAction.FetchOr, bits, 0, MemoryOrder.Full, weight, text.Text));

    /// <summary><c>atomic_fetch_and</c>: fully ordered; returns the old value.</summary>
    public Op<ulong> FetchAnd(Word word, ulong bits, StepWeight weight = StepWeight.Context)
        => _timed is { } timed ? Op<ulong>.DoneWith(timed.Modify(this, word, MemoryAction.FetchAnd, bits, 0))
            : new(new MemoryOperation(this, word, MemoryAction.FetchAnd, bits, 0, MemoryOrder.Full, weight));

    /// <summary><c>xchg</c>: fully ordered; returns the old value.</summary>
    public Op<ulong> Exchange(
        Word word, ulong value, StepWeight weight = StepWeight.Context,
        [InterpolatedStringHandlerArgument("")] OperationText text = default)
        => _timed is { } timed ? Op<ulong>.DoneWith(timed.Modify(this, word, MemoryAction.Exchange, value, 0))
            : new(new MemoryOperation(this, word, MemoryAction.Exchange, value, 0, MemoryOrder.Full, weight, text.Text));

    /// <summary><c>cmpxchg</c>: fully ordered; returns the value that was found.</summary>
    public Op<ulong> CompareExchange(
        Word word, ulong expected, ulong value, StepWeight weight = StepWeight.Context,
        [InterpolatedStringHandlerArgument("")] OperationText text = default)
        => _timed is { } timed ? Op<ulong>.DoneWith(timed.Modify(this, word, MemoryAction.CompareExchange, value, expected))
            : new(new MemoryOperation(this, word, MemoryAction.CompareExchange, value, expected, MemoryOrder.Full, weight, text.Text));

    /// <summary><c>smp_mb</c>, or another full barrier.</summary>
    public Op FullBarrier(string function = "smp_mb()")
        => _timed is { } timed ? timed.Fence(this) : new(new FenceOperation(this, function));

    /// <summary><c>spin_lock</c>.</summary>
    public Op SpinLock(Spinlock spinLock)
        => _timed is { } timed ? timed.Lock(this, spinLock.Word, false)
            : new(new ExclusiveLockOperation(this, spinLock.Word, "spin_lock", LockAction.Acquire, false, spinLock.Table));

    /// <summary><c>spin_trylock</c>: 0 if the lock was free and is now held.</summary>
    public Op<ulong> SpinTrylock(Spinlock spinLock) => _timed is { } timed
        ? Op<ulong>.DoneWith(timed.TryLock(this, spinLock.Word) ? 0 : 1)
        : new(new MemoryOperation(
        this, spinLock.Word, MemoryAction.CompareExchange, (ulong)Index + 1, 0, MemoryOrder.Full, StepWeight.Context,
        $"spin_trylock({spinLock.Name})"));

    /// <summary><c>spin_unlock</c>.</summary>
    public Op SpinUnlock(Spinlock spinLock)
        => _timed is { } timed ? timed.Unlock(this, spinLock.Word)
            : new(new ExclusiveLockOperation(this, spinLock.Word, "spin_unlock", LockAction.Release, false));

    /// <summary><c>mutex_lock</c>: may sleep.</summary>
    public Op MutexLock(KernelMutex mutex)
        => _timed is { } timed ? timed.Lock(this, mutex.Word, true)
            : new(new ExclusiveLockOperation(this, mutex.Word, "mutex_lock", LockAction.Acquire, true));

    /// <summary><c>mutex_trylock</c>: 1 if the lock was taken.</summary>
    public Op<int> MutexTryLock(KernelMutex mutex)
        => _timed is { } timed ? Op<int>.DoneWith(timed.TryLock(this, mutex.Word) ? 1 : 0)
            : new(new ExclusiveLockOperation(this, mutex.Word, "mutex_trylock", LockAction.TryAcquire, false));

    /// <summary><c>mutex_unlock</c>.</summary>
    public Op MutexUnlock(KernelMutex mutex)
        => _timed is { } timed ? timed.Unlock(this, mutex.Word)
            : new(new ExclusiveLockOperation(this, mutex.Word, "mutex_unlock", LockAction.Release, false));

    /// <summary><c>down_read</c>: may sleep.</summary>
    public Op DownRead(RwSemaphore semaphore)
        => _timed is { } timed ? timed.Down(this, semaphore, false)
            : new(new RwSemaphoreOperation(this, semaphore, RwAction.DownRead));

    /// <summary><c>up_read</c>.</summary>
    public Op UpRead(RwSemaphore semaphore)
        => _timed is { } timed ? timed.Up(this, semaphore, false)
            : new(new RwSemaphoreOperation(this, semaphore, RwAction.UpRead));

    /// <summary><c>down_write</c>: may sleep.</summary>
    public Op DownWrite(RwSemaphore semaphore)
        => _timed is { } timed ? timed.Down(this, semaphore, true)
            : new(new RwSemaphoreOperation(this, semaphore, RwAction.DownWrite));

    /// <summary><c>down_write_trylock</c>: 1 if it was free and is now held. Not on machines of real size.</summary>
    public Op<int> DownWriteTrylock(RwSemaphore semaphore)
        => _timed is null ? new(new RwSemaphoreOperation(this, semaphore, RwAction.DownWriteTrylock))
            : throw new ProcRuleException("down_write_trylock() is an operation of checked machines only");

    /// <summary><c>up_write</c>.</summary>
    public Op UpWrite(RwSemaphore semaphore)
        => _timed is { } timed ? timed.Up(this, semaphore, true)
            : new(new RwSemaphoreOperation(this, semaphore, RwAction.UpWrite));

    /// <summary><c>downgrade_write</c>: the writer becomes a reader.</summary>
    public Op DowngradeWrite(RwSemaphore semaphore)
        => _timed is { } timed ? timed.Downgrade(this, semaphore)
            : new(new RwSemaphoreOperation(this, semaphore, RwAction.DowngradeWrite));

    /// <summary>Waits until a word meets a condition (a completion, a sequence count): never a spin loop.</summary>
    public Op<ulong> WaitUntil(Word word, Condition condition, ulong operand)
        => _timed is { } timed ? timed.WaitUntil(this, word, condition, operand) : new(new WaitOperation(this, word, condition, operand));

    /// <summary>A free choice between 0 and count - 1; what says of what, for schedules.</summary>
    public Op<int> Choose(int count, string what) => new(new ChooseOperation(count, what));

    /// <summary>A free choice of a page.</summary>
    public Op<int> ChoosePage() => new(new ChooseOperation(Machine.Paging.PageCount, "a page", true));

    /// <summary><c>local_irq_disable</c>.</summary>
    public Op InterruptsOff()
        => _timed is { } timed ? timed.SetInterrupts(this, true)
            : new(new InterruptFlagOperation(this, true));

    /// <summary><c>local_irq_enable</c>.</summary>
    public Op InterruptsOn()
        => _timed is { } timed ? timed.SetInterrupts(this, false)
            : new(new InterruptFlagOperation(this, false));

    /// <summary><c>preempt_disable</c>.</summary>
    public Op<ulong> PreemptDisable() => AddReturn(PreemptCount, 1, StepWeight.Detail);

    /// <summary><c>preempt_enable</c>.</summary>
    public Op<ulong> PreemptEnable() => AddReturn(PreemptCount, -1, StepWeight.Detail);

    /// <summary>Marks a cross-call pending at every CPU of the mask (not this one).</summary>
    /// <param name="mask">The CPUs.</param>
    /// <param name="function">What they run.</param>
    /// <param name="argument">What is passed to them.</param>
    /// <param name="wide">More of the argument; only machines of real size need it.</param>
    public Op SendIpi(CpuSet mask, int function, ulong argument = 0, ulong wide = 0)
        => _timed is { } timed ? timed.SendIpi(this, mask, function, argument, wide)
            : wide == 0 ? new(Machine.Interrupts.Send(this, mask.Mask, function, argument))
            : throw new ProcRuleException(
                "the argument of a cross-call is wider than one word: the pages or address spaces of this machine are too many");

    /// <summary>
    /// Makes work due at the next scheduler tick of every CPU of the mask (not this one); does not wait. On small machines a tick comes at
    /// any later time, and <see cref="AwaitIpiAcknowledgements"/> must come before this CPU's next cross-call.
    /// </summary>
    /// <param name="mask">The CPUs.</param>
    /// <param name="function">What they run (<see cref="Interrupts.RegisterTick"/>).</param>
    public Op RaiseTick(CpuSet mask, int function)
        => _timed is { } timed ? timed.RaiseTick(this, mask, function) : new(Machine.Interrupts.Send(this, mask.Mask, function, 0));

    /// <summary>What the sender of the request that this CPU handles passed with it.</summary>
    public Op<ulong> IpiArgument(Cpu sender)
        => _timed is { } timed ? Op<ulong>.DoneWith(unchecked((long)timed.ArgumentOf(sender).Argument))
            : new(Machine.Interrupts.ReadArgument(sender));

    /// <summary>The part of <see cref="IpiArgument"/> that one word cannot carry; fixed until the request is answered, so no step.</summary>
    public ulong WideIpiArgument(Cpu sender) => _timed is { } timed ? timed.ArgumentOf(sender).Wide : 0;

    /// <summary>Waits until all targets of the last <see cref="SendIpi"/> returned from their handlers.</summary>
    public Op AwaitIpiAcknowledgements()
        => _timed is { } timed ? timed.AwaitAcknowledgements(this)
            : new(Machine.Interrupts.AwaitAcknowledgements(this));

    /// <summary><c>rcu_read_lock</c>.</summary>
    public Op RcuReadLock()
        => _timed is not null ? Op.Done
            : new(Machine.Rcu.ReadSection(this, true));

    /// <summary><c>rcu_read_unlock</c>.</summary>
    public Op RcuReadUnlock()
        => _timed is not null ? Op.Done
            : new(Machine.Rcu.ReadSection(this, false));

    /// <summary><c>synchronize_rcu</c>, in two steps: the grace period starts, later it ends.</summary>
    public async Proc SynchronizeRcu()
    {
        if (_timed is not null)
        {
            return;
        }

        await new Op(Machine.Rcu.BeginGracePeriod(Index));
        await new Op(Machine.Rcu.EndGracePeriod(Index));
    }

    /// <summary><c>call_rcu</c>: the registered callback runs after a grace period.</summary>
    public Op CallRcu(int callback, ulong argument)
        => _timed is { } timed ? timed.CallRcu(this, Machine.Rcu.CallbackOf(callback), argument)
            : new(Machine.Rcu.Enqueue(this, callback, argument));

    /// <summary>An operation that promises removal or downgrade begins.</summary>
    public Op BeginPromise(Promise promise)
        => _timed is not null ? Op.Done
            : new(new PromiseOperation(promise, false));

    /// <summary>The operation returns to its caller: from here on its promise holds.</summary>
    public Op ReturnPromise(Promise promise)
        => _timed is not null ? Op.Done
            : new(new PromiseOperation(promise, true));

    /// <summary><c>VM_BUG_ON(!holds)</c>: a condition that the check reports if it is false.</summary>
    public Op Assert(bool holds, string message)
        => _timed is { } timed ? timed.Assert(this, holds, message)
            : new(new AssertOperation(this, holds, message));

    private sealed class InterruptFlagOperation(Cpu cpu, bool off) : Operation
    {
        public override string Text => off ? "local_irq_disable()" : "local_irq_enable()";

        public override HeldChange? HeldAfter(long result) => new HeldChange(string.Empty, HoldKind.InterruptsOff, off);

        public override long Execute(MachineState state, int alternative)
        {
            state.Write(cpu.InterruptsOffAddress, off ? 1UL : 0);
            if (!off)
            {
                cpu.Machine.Rcu.Quiesce(state, cpu);
            }

            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            footprint.Write(cpu.InterruptsOffAddress);
            footprint.Read(cpu.InInterruptAddress);
            cpu.Machine.Rcu.AddQuiesceFootprint(footprint, cpu);
        }
    }
}
