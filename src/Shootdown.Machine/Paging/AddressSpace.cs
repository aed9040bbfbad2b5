namespace Shootdown.Machine;

/// <summary>What a root register can point to: a tree of page tables. The kernel's <c>mm</c> owns one.</summary>
public sealed class AddressSpace : MachineHandle
{
    internal AddressSpace(MachineModel machine, int index, string name, int rootTable)
        : base(machine)
    {
        Index = index;
        Name = name;
        RootTable = rootTable;
    }

    /// <summary>Number of the address space, from 0.</summary>
    public int Index { get; }

    /// <summary>Name for reports.</summary>
    public string Name { get; }

    /// <summary>The top-level table.</summary>
    public int RootTable { get; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>Thrown when a run needs more than a bound of the machine allows; the check then ends inconclusive.</summary>
public sealed class BoundExceededException(string message) : Exception(message);
