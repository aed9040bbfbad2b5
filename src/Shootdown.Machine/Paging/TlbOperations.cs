namespace Shootdown.Machine;

/// <summary>A write of CR3. Serialising.</summary>
internal sealed class LoadRootOperation(Cpu cpu, AddressSpace? space, int asid, bool keep, string function) : Operation
{
    public override string Text => $"{function}({space?.Name ?? "init_mm"})";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        state.Record?.Note(keep ? "[ TLB kept ]" : "[ TLB flushed ]");
        cpu.Machine.Paging.Tlb.LoadRoot(state, cpu, space is null ? 0 : space.Index + 1, asid, keep);
        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        cpu.Machine.Paging.Tlb.AddRootFootprint(footprint, cpu);
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
    }
}

/// <summary>INVLPG of a page, or a flush of the whole current PCID (page -1). Serialising.</summary>
internal sealed class FlushOperation(Cpu cpu, int page) : Operation
{
    public override string Text => page >= 0 ? $"[ INVLPG {Paging.AddressText(page)} ]" : "[ full TLB flush ]";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        TlbModel tlb = cpu.Machine.Paging.Tlb;
        if (page >= 0)
        {
            tlb.FlushPage(state, cpu, page);
        }
        else
        {
            tlb.FlushAsid(state, cpu, (int)state.Read(cpu.AsidAddress));
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        TlbModel tlb = cpu.Machine.Paging.Tlb;
        if (page >= 0)
        {
            tlb.AddPageFlushFootprint(footprint, cpu, page);
        }
        else
        {
            tlb.AddFlushFootprint(footprint, cpu);
        }

        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
    }
}
