using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>What kernel state tells a reader of a page-table entry about flushes that are still owed.</summary>
public interface IFlushKnowledge
{
    /// <summary>Words that the answers depend on.</summary>
    IReadOnlyList<int> Words { get; }

    /// <summary>True if whoever reads an entry of the space under its lock can know that a flush is pending.</summary>
    bool IsFlushPending(MachineState state, AddressSpace space);

    /// <summary>True if the CPU will flush before it makes another user access (lazy, or in the middle of a switch).</summary>
    bool WillFlushFirst(MachineState state, Cpu cpu);

    /// <summary>
    /// True in the middle of a switch: the CPU has left the mask of the address space whose root it still has loaded, and makes no access
    /// until it has loaded another.
    /// </summary>
    bool IsSwitching(MachineState state, Cpu cpu);
}
