namespace Shootdown.Machine;

/// <summary>What programs that have ended may have left behind in the machine.</summary>
public static class LeftBehind
{
    /// <summary>Locks that are held, read sections that are open, interrupts and preemption that are off; each as a sentence without its dot.</summary>
    public static IEnumerable<string> Of(MachineState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        MachineModel machine = state.Machine;
        foreach (int address in machine.LockWords.Where(address => state.Read(address) != 0))
        {
            yield return $"CPU{state.Read(address) - 1} has not released {machine.WordInfo(address).Name}";
        }

        foreach (RwSemaphore semaphore in machine.Semaphores.Where(one => state.Read(one.Word.Address) != 0))
        {
            string how = state.Read(semaphore.Word.Address) >= RwSemaphore.Writer ? "for writing" : "for reading";
            yield return $"{semaphore.Word.Name} is still held {how}";
        }

        foreach (Cpu cpu in machine.Cpus)
        {
            if (state.Read(cpu.InterruptsOffAddress) != 0)
            {
                yield return $"{cpu} has interrupts off";
            }

            if (state.Read(cpu.PreemptCount.Address) != 0)
            {
                yield return $"{cpu} has a preempt_count of {(long)state.Read(cpu.PreemptCount.Address)}";
            }

            if (machine.Rcu.IsInSection(state, cpu))
            {
                yield return $"{cpu} has not left its RCU read section";
            }
        }
    }
}
