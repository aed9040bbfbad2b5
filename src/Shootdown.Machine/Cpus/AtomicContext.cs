namespace Shootdown.Machine;

/// <summary>
/// Atomic context: where a task must not sleep, because a spinlock is held, preemption or interrupts are off, an RCU read
/// section is open, or an interrupt is being handled. An SRCU read section is none.
/// </summary>
/// <remarks>
/// All that is asked is the CPU's own doing, and whoever else runs on it in between leaves it as it was: so an
/// operation that asks need not name the words of spinlocks in its footprint. No step of another CPU changes whether "the
/// lock is held by this one" is true.
/// </remarks>
internal static class AtomicContext
{
    /// <summary>Why the CPU may not sleep now, as the end of a sentence; null if it may.</summary>
    internal static string? ReasonOn(MachineState state, Cpu cpu)
    {
        if (state.Read(cpu.InInterruptAddress) != 0)
        {
            return "in an interrupt handler";
        }

        if (state.Read(cpu.InterruptsOffAddress) != 0)
        {
            return "with interrupts off";
        }

        if (HeldSpinLock(state, cpu) is { } held)
        {
            return $"while it holds the spinlock {held.Name}";
        }

        return state.Read(cpu.PreemptCount.Address) != 0 ? "with preemption off"
            : cpu.Machine.Rcu.IsInSection(state, cpu) ? "inside an RCU read section"
            : null;
    }

    /// <summary>Judges that the CPU may sleep in a function: a violation of P-atomic if it must not.</summary>
    internal static void JudgeSleep(MachineState state, Cpu cpu, string function)
    {
        string? reason = ReasonOn(state, cpu);
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.OnMightSleep(state, cpu, function, reason);
        }

        if (reason is not null && !cpu.Machine.Options.SleepsInAtomic)
        {
            state.Violation ??= new Violation("P-atomic", SentenceOf(cpu, function, reason));
            state.Record?.Decide();
        }
    }

    internal static string SentenceOf(Cpu cpu, string function, string reason) => $"{cpu} may sleep in {function} {reason}.";

    /// <summary>The words that <see cref="JudgeSleep"/> asks for and somebody may change.</summary>
    internal static void AddFootprint(Footprint footprint, Cpu cpu)
    {
        footprint.Read(cpu.InterruptsOffAddress);
        footprint.Read(cpu.PreemptCount.Address);
    }

    /// <summary>A spinlock that the CPU holds, as it sees it itself: its unlocking may still be in its store buffer.</summary>
    private static Spinlock? HeldSpinLock(MachineState state, Cpu cpu)
    {
        foreach (Spinlock spinLock in cpu.Machine.SpinLocks)
        {
            if (spinLock.IsHeldBy(state, cpu)
                && cpu.Machine.Model.Load(state, cpu, spinLock.Word.Address, MemoryOrder.Relaxed, 0) != 0)
            {
                return spinLock;
            }
        }

        return null;
    }
}
