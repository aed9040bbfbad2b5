namespace Shootdown.Machine;

/// <content>What kernel code does to devices besides invalidation.</content>
public sealed partial class Cpu
{
    /// <summary>
    /// Writes the entry of the device's PASID: present (bound) or not. An entry that is not present is not cached, so binding works at once; a
    /// present one is cached until <see cref="InvalidationKind.Pasid"/>.
    /// </summary>
    public Op PasidEntryStore(Device device, bool present, string function) => new(new PasidOperation(this, device, present, function));

    /// <summary>Tells the device that it may keep translations of its own (<c>pci_enable_ats</c>).</summary>
    public Op EnableAts(Device device) => new(new AtsOperation(this, device));
}

internal sealed class PasidOperation(Cpu cpu, Device device, bool present, string function) : Operation
{
    public override string Text => function;

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        ulong root = present ? (ulong)device.RequireSpace().Index + 1 : 0;
        state.Write(device.PasidEntry.Address, root);
        if (state.Read(device.Iommu.RootAddress) == 0)
        {
            cpu.Machine.Paging.Tlb.LoadRoot(state, device.Iommu, (int)root, 0, false);
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        footprint.Write(device.PasidEntry.Address);
        cpu.Machine.Paging.Tlb.AddRootFootprint(footprint, device.Iommu);
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
    }
}

internal sealed class AtsOperation(Cpu cpu, Device device) : Operation
{
    public override string Text => "pci_enable_ats()";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        state.Write(device.AtsAddress, 1);
        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        footprint.Write(device.AtsAddress);
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
    }
}
