namespace Shootdown.Machine;

/// <summary>Sequential consistency: every store is visible at once.</summary>
public sealed class ScMemory(MachineModel machine) : MemoryModel(machine)
{
    /// <inheritdoc/>
    public override string Name => "sc";

    /// <inheritdoc/>
    public override ulong Load(MachineState state, Cpu cpu, int address, MemoryOrder order, int alternative) => state.Read(address);

    /// <inheritdoc/>
    public override int StoreAlternatives(MachineState state, Cpu cpu, MemoryOrder order) => 1;

    /// <inheritdoc/>
    public override void Store(MachineState state, Cpu cpu, int address, ulong value, MemoryOrder order)
        => Machine.Commit(state, address, value);

    /// <inheritdoc/>
    public override bool IsDrained(MachineState state, Cpu cpu) => true;

    /// <inheritdoc/>
    public override void AddLoadFootprint(Footprint footprint, Cpu cpu, int address) => footprint.Read(address);

    /// <inheritdoc/>
    public override void AddStoreFootprint(Footprint footprint, Cpu cpu, int address) => Machine.AddCommitFootprint(footprint, address);

    /// <inheritdoc/>
    public override void AddDrainFootprint(Footprint footprint, Cpu cpu)
    {
    }
}
