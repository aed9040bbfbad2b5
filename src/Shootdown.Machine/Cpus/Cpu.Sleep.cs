namespace Shootdown.Machine;

/// <summary>What may sleep, and what must not be used across a sleep.</summary>
public sealed partial class Cpu
{
    /// <summary><c>might_sleep</c>: judges P-atomic; nothing happens otherwise.</summary>
    /// <param name="function">The function that may sleep, e.g. <c>invalidate_range_start()</c>.</param>
    public Op MightSleep(string function) => _timed is not null ? Op.Done : new(new MightSleepOperation(this, function));

    /// <summary><c>wait_event</c>: sleeps until a word meets a condition; returns its value.</summary>
    public Op<ulong> WaitEvent(Word word, Condition condition, ulong operand)
        => _timed is { } timed ? timed.WaitUntil(this, word, condition, operand) : new(new WaitOperation(this, word, condition, operand, true));

    /// <summary><c>this_cpu_ptr</c>, <c>get_cpu_var</c> and every use of what they returned: judges P-atomic.</summary>
    public Op UsePerCpu(PerCpuObject used) => _timed is not null ? Op.Done : new(used.Use(this));

    /// <summary><c>srcu_read_lock</c>; returns what <see cref="SrcuReadUnlock"/> must be given.</summary>
    public Op<int> SrcuReadLock(Srcu srcu) => new(srcu.Lock(this));

    /// <summary><c>srcu_read_unlock</c>; another CPU may do it if the task moved.</summary>
    public Op SrcuReadUnlock(Srcu srcu, int section) => new(srcu.Unlock(this, section));

    /// <summary><c>synchronize_srcu</c>, in two steps: the grace period starts, later it ends. Sleeps.</summary>
    public async Proc SynchronizeSrcu(Srcu srcu)
    {
        int waiter = await new Op<int>(srcu.Begin(this));
        await new Op(srcu.End(waiter));
    }

    private sealed class MightSleepOperation(Cpu cpu, string function) : Operation
    {
        public override string Text => $"might_sleep()  [ {function} ]";

        public override StepWeight Weight => StepWeight.Context;

        public override long Execute(MachineState state, int alternative)
        {
            AtomicContext.JudgeSleep(state, cpu, function);
            return 0;
        }

        public override void AddFootprint(Footprint footprint) => AtomicContext.AddFootprint(footprint, cpu);
    }
}
