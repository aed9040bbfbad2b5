namespace Shootdown.Machine;

/// <summary>Kernel code uses a page table: takes its lock, which is freed with it (<c>ptlock_free</c>), or reads or changes an entry.</summary>
internal static class TableUse
{
    /// <summary>Tells who watches, if the table has been freed.</summary>
    internal static void Report(MachineState state, Cpu cpu, int table, string use)
    {
        if (state.Read(cpu.Machine.Paging.TableLifeAddress(table)) != 0)
        {
            return;
        }

        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.OnFreedTableUsed(state, cpu, table, use);
        }
    }

    /// <summary>The word that <see cref="Report"/> reads.</summary>
    internal static void AddFootprint(Footprint footprint, Cpu cpu, int table) => footprint.Read(cpu.Machine.Paging.TableLifeAddress(table));
}
