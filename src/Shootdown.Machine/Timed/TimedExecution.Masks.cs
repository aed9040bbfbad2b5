namespace Shootdown.Machine;

/// <content>Sets of CPUs: a load or store for each word, a locked instruction for each word that changes.</content>
public abstract partial class TimedExecution
{
    internal CpuSet Load(Cpu cpu, CpuMask mask)
    {
        int words = mask.WordCount;
        CpuSet value = default;
        for (int i = 0; i < words; i++)
        {
            value = value.WithWord(i, Memory.At(mask.First.Address + i));
        }

        Spend(cpu, mask.First.Kind == WordKind.Local ? 0 : words * WordNs);
        return value;
    }

    internal Op Store(Cpu cpu, CpuMask mask, in CpuSet value)
    {
        for (int i = 0; i < mask.WordCount; i++)
        {
            Put(cpu, mask, i, value.Word(i), WordNs);
        }

        return Op.Done;
    }

    /// <summary>
    /// Adds the set (FetchOr), takes it out (FetchAnd) or puts it there (Exchange). A word that holds none of the set is not touched,
    /// except by an exchange.
    /// </summary>
    internal CpuSet Modify(Cpu cpu, CpuMask mask, in CpuSet cpus, MemoryAction action)
    {
        CpuSet old = default;
        for (int i = 0; i < mask.WordCount; i++)
        {
            ulong before = Memory.At(mask.First.Address + i);
            ulong bits = cpus.Word(i);
            old = old.WithWord(i, before);
            if (action == MemoryAction.Exchange)
            {
                Put(cpu, mask, i, bits, AtomicNs);
            }
            else if (bits != 0)
            {
                Put(cpu, mask, i, action == MemoryAction.FetchOr ? before | bits : before & ~bits, AtomicNs);
            }
        }

        return old;
    }

    private void Put(Cpu cpu, CpuMask mask, int word, ulong value, int costNs)
    {
        int address = mask.First.Address + word;
        Memory.At(address) = value;
        if (mask.First.Kind != WordKind.Local)
        {
            Spend(cpu, costNs);
            Changed(cpu, address);
        }
    }
}
