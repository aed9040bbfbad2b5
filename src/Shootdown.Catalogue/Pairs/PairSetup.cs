using Shootdown.Kernel;
using Shootdown.Machine;

namespace Shootdown.Catalogue;

/// <summary>What a matrix is run on.</summary>
public sealed record PairSetup
{
    /// <summary>The kernel's mechanisms; by default the correct core.</summary>
    public KernelParts Parts { get; init; } = new();

    /// <summary>Memory model.</summary>
    public MemoryModelKind Model { get; init; } = MemoryModelKind.Sc;

    /// <summary>Representation of TLBs.</summary>
    public TlbKind Tlb { get; init; } = TlbKind.Lagging;
}
