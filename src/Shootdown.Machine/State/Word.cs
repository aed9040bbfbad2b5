namespace Shootdown.Machine;

/// <summary>What a word of machine memory is for; it decides who may touch it and what a change of it does.</summary>
public enum WordKind
{
    /// <summary>Kernel memory that every CPU may read and write; follows the memory model; part of final states.</summary>
    Shared,

    /// <summary>Task-local or per-CPU memory that only its owner touches: no scheduling point, no store buffer.</summary>
    Local,

    /// <summary>An entry of a page table: kernel memory that hardware walkers read too.</summary>
    PageTableEntry,

    /// <summary>State of the hardware (TLBs, store buffers, interrupt flags) or of a property; not kernel memory.</summary>
    Hardware,
}

/// <summary>A 64-bit word of machine memory. Immutable handle; the value lives in the <see cref="MachineState"/>.</summary>
public sealed class Word : MachineHandle
{
    private readonly Func<ulong, string> _show;

    internal Word(MachineModel machine, int address, string name, WordKind kind, Cpu? owner, Func<ulong, string>? show = null)
        : base(machine)
    {
        _show = show ?? ValueText.Number;
        Address = address;
        Name = name;
        Kind = kind;
        Owner = owner;
    }

    /// <summary>Index into <see cref="MachineState"/>.</summary>
    public int Address { get; }

    /// <summary>Name for reports, e.g. <c>mm.tlb_gen</c>.</summary>
    public string Name { get; }

    /// <summary>What it is for.</summary>
    public WordKind Kind { get; }

    /// <summary>The only CPU that may touch a <see cref="WordKind.Local"/> word.</summary>
    public Cpu? Owner { get; }

    /// <summary>How reports print a value of it.</summary>
    public string Show(ulong value) => _show(value);

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Where a word stands and what it is; kept by the machine for reports and for final states.</summary>
/// <param name="Name">Name for reports.</param>
/// <param name="Kind">What it is for.</param>
/// <param name="Initial">Value in the initial state.</param>
public sealed record WordInfo(string Name, WordKind Kind, ulong Initial);
