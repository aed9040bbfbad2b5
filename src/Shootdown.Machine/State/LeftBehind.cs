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

        foreach (Srcu domain in machine.Srcus.Where(one => one.IsReadBySomebody(state)))
        {
            yield return $"a read section of {domain.Name} is still open";
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

    /// <summary>Page tables that are allocated, and that neither the root of an address space leads to nor anybody has put by.</summary>
    /// <param name="state">The state.</param>
    /// <param name="deposited">Tables that somebody has put by.</param>
    public static IEnumerable<int> LostTables(MachineState state, IReadOnlyCollection<int> deposited)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(deposited);
        Paging paging = state.Machine.Paging;
        var found = new HashSet<int>(deposited);
        foreach (AddressSpace space in paging.Spaces)
        {
            AddTables(state, space.RootTable, state.Machine.Options.Levels - 1, 0, found);
        }

        return Enumerable.Range(0, paging.TableCount).Where(table => state.Read(paging.TableLifeAddress(table)) != 0 && !found.Contains(table));
    }

    private static void AddTables(MachineState state, int table, int level, int first, HashSet<int> found)
    {
        found.Add(table);
        Paging paging = state.Machine.Paging;
        for (int i = 0; level > 0 && i < state.Machine.Options.EntriesPerTable; i++)
        {
            int page = first + (i * paging.SpanOf(level));
            var entry = new Pte(state.Read(paging.EntryAddress(table, level, page)));
            if (entry.Present && !entry.Huge)
            {
                AddTables(state, entry.Frame, level - 1, page, found);
            }
        }
    }
}
