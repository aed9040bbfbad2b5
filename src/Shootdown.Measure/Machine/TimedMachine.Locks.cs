using Shootdown.Machine;

namespace Shootdown.Measure;

/// <content>Locks and waiting.</content>
public sealed partial class TimedMachine
{
    private const ulong Writer = 1UL << 32;
    private readonly Dictionary<int, Queue<(int Cpu, bool Write)>> _lockQueues = [];
    private readonly List<(int Cpu, int Address, Condition Condition, ulong Operand)> _watchers = [];

    /// <inheritdoc/>
    public override Op Lock(Cpu cpu, Word word, bool sleeps)
    {
        ArgumentNullException.ThrowIfNull(word);
        if (Clock[cpu.Index] - _aheadNs > NextTime)
        {
            // Far ahead of another CPU: let it catch up, so that its interrupts come when they should.
            StateOf(cpu).LockToTake = word;
            return Until(cpu, Clock[cpu.Index], false, WaitOn(word));
        }

        return TakeOrQueue(cpu, word) ? Performed : Waiting(WaitOn(word));
    }

    /// <inheritdoc/>
    public override bool TryLock(Cpu cpu, Word word)
    {
        ArgumentNullException.ThrowIfNull(word);
        ref ulong owner = ref Memory.At(word.Address);
        Spend(cpu, AtomicNs);
        if (owner != 0 || Memory.FreeAt(word.Address) > Clock[cpu.Index])
        {
            return false;
        }

        owner = (ulong)cpu.Index + 1;
        return true;
    }

    /// <inheritdoc/>
    public override Op Unlock(Cpu cpu, Word word)
    {
        ArgumentNullException.ThrowIfNull(word);
        Spend(cpu, WordNs);
        Memory.At(word.Address) = 0;
        Memory.FreeAt(word.Address) = Clock[cpu.Index];
        if (_lockQueues.Count > 0 && _lockQueues.TryGetValue(word.Address, out Queue<(int Cpu, bool Write)>? queue))
        {
            int next = queue.Dequeue().Cpu;
            Forget(word.Address, queue);
            Memory.At(word.Address) = (ulong)next + 1;
            Grant(next, Clock[cpu.Index] + _handOverNs);
        }

        if (HasWatchers)
        {
            Changed(cpu, word.Address);
        }

        return Performed;
    }

    /// <inheritdoc/>
    public override Op Down(Cpu cpu, RwSemaphore semaphore, bool write)
    {
        ArgumentNullException.ThrowIfNull(semaphore);
        int address = semaphore.Word.Address;
        ref ulong held = ref Memory.At(address);
        if (_lockQueues.ContainsKey(address) || (write ? held != 0 : held >= Writer))
        {
            Enqueue(cpu, address, write);
            return Waiting(WaitOn(semaphore.Word));
        }

        held = write ? Writer : held + 1;
        long free = write ? Math.Max(Memory.FreeAt(address), Memory.FreeAt(address + 1)) : Memory.FreeAt(address);
        PassUntil(cpu, free, _sleepWakeNs);
        return Performed;
    }

    /// <inheritdoc/>
    public override Op Up(Cpu cpu, RwSemaphore semaphore, bool write)
    {
        ArgumentNullException.ThrowIfNull(semaphore);
        int address = semaphore.Word.Address;
        Spend(cpu, AtomicNs);
        ref ulong held = ref Memory.At(address);
        held = write ? 0 : held - 1;
        ref long free = ref Memory.FreeAt(write ? address : address + 1);
        free = Math.Max(free, Clock[cpu.Index]);
        WakeQueue(cpu, address);
        return Performed;
    }

    /// <inheritdoc/>
    public override Op Downgrade(Cpu cpu, RwSemaphore semaphore)
    {
        ArgumentNullException.ThrowIfNull(semaphore);
        int address = semaphore.Word.Address;
        Spend(cpu, AtomicNs);
        Memory.At(address) = 1;
        Memory.FreeAt(address) = Clock[cpu.Index];
        WakeQueue(cpu, address);
        return Performed;
    }

    /// <inheritdoc/>
    public override Op<ulong> WaitUntil(Cpu cpu, Word word, Condition condition, ulong operand)
    {
        ArgumentNullException.ThrowIfNull(word);
        ulong value = Memory.Read(word.Address);
        if (value == operand == (condition == Condition.Equal))
        {
            return PerformedWith(value);
        }

        TimedCpu state = StateOf(cpu);
        state.Waits = true;
        state.WaitsSince = Clock[cpu.Index];
        _watchers.Add((cpu.Index, word.Address, condition, operand));
        HasWatchers = true;
        return WaitingForValue(WaitOn(word));
    }

    /// <inheritdoc/>
    public override void Changed(Cpu cpu, int address)
    {
        for (int i = _watchers.Count - 1; i >= 0; i--)
        {
            (int waiter, int watched, Condition condition, ulong operand) = _watchers[i];
            ulong value = Memory.Read(address);
            if (watched == address && value == operand == (condition == Condition.Equal))
            {
                _watchers.RemoveAt(i);
                HasWatchers = _watchers.Count > 0;
                _cpus[waiter].Result = unchecked((long)value);
                _queue.Set(waiter, Math.Max(_cpus[waiter].WaitsSince, Clock[cpu.Index]) + _sleepWakeNs);
            }
        }
    }

    /// <summary>Takes a lock, at once or after waiting for whoever released it; false if its holder is not done.</summary>
    private bool TakeOrQueue(Cpu cpu, Word word)
    {
        ref ulong owner = ref Memory.At(word.Address);
        if (owner != 0)
        {
            if (owner == (ulong)cpu.Index + 1)
            {
                throw new ProcRuleException($"{cpu} takes {word.Name}, which it holds: it would wait for ever");
            }

            Enqueue(cpu, word.Address, true);
            return false;
        }

        owner = (ulong)cpu.Index + 1;
        PassUntil(cpu, Memory.FreeAt(word.Address), _handOverNs);
        return true;
    }

    private void PassUntil(Cpu cpu, long free, int handOverNs)
    {
        long now = Clock[cpu.Index];
        if (free <= now)
        {
            Spend(cpu, _lockNs);
            return;
        }

        Clock[cpu.Index] = free + handOverNs;
        _cpus[cpu.Index].LockWaitNs += free + handOverNs - now;
    }

    private void Enqueue(Cpu cpu, int address, bool write)
    {
        if (!_lockQueues.TryGetValue(address, out Queue<(int Cpu, bool Write)>? queue))
        {
            _lockQueues.Add(address, queue = new Queue<(int Cpu, bool Write)>());
        }

        queue.Enqueue((cpu.Index, write));
        TimedCpu state = StateOf(cpu);
        state.Waits = true;
        state.WaitsSince = Clock[cpu.Index];
    }

    private void WakeQueue(Cpu cpu, int address)
    {
        if (_lockQueues.Count == 0 || !_lockQueues.TryGetValue(address, out Queue<(int Cpu, bool Write)>? queue))
        {
            return;
        }

        ref ulong held = ref Memory.At(address);
        while (queue.TryPeek(out (int Cpu, bool Write) head) && (head.Write ? held == 0 : held < Writer))
        {
            queue.Dequeue();
            held = head.Write ? Writer : held + 1;
            Grant(head.Cpu, Clock[cpu.Index] + _sleepWakeNs);
        }

        Forget(address, queue);
    }

    private void Grant(int cpu, long time)
    {
        TimedCpu state = _cpus[cpu];
        time = Math.Max(time, state.WaitsSince);
        state.LockWaitNs += time - state.WaitsSince;
        _queue.Set(cpu, time);
    }

    private void Forget(int address, Queue<(int Cpu, bool Write)> queue)
    {
        if (queue.Count == 0)
        {
            _lockQueues.Remove(address);
        }
    }
}
