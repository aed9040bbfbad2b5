namespace Shootdown.Machine;

/// <summary>
/// A set of CPUs in machine memory, such as <c>mm_cpumask</c>: one word for every 64 CPUs of the machine, bit n % 64 of word n / 64 for
/// CPU n. Kernel code uses it through a <see cref="Cpu"/> (<c>cpu.Load(mm.CpuMask)</c>) and gets a <see cref="CpuSet"/>.
/// </summary>
[MachineHandle]
public sealed class CpuMask
{
    internal CpuMask(Word first) => First = first;

    /// <summary>The word of CPUs 0 to 63: all there is on a machine that is checked.</summary>
    public Word First { get; }

    /// <summary>How many words there are; they stand behind each other.</summary>
    internal int WordCount => First.Machine.CpuMaskWords;

    /// <summary>Adds a CPU in the initial state.</summary>
    public void BuildSet(Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        int address = First.Address + (cpu.Index / CpuSet.WordBits);
        MachineModel machine = First.Machine;
        machine.SetInitial(address, machine.WordInfo(address).Initial | (1UL << (cpu.Index % CpuSet.WordBits)));
    }

    /// <inheritdoc/>
    public override string ToString() => First.Name;
}
