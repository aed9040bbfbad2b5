namespace Shootdown.Machine;

/// <summary>A write of CR3. Serialising.</summary>
internal sealed class LoadRootOperation(Cpu cpu, AddressSpace? space, int asid, bool keep, string function) : Operation
{
    public override string Text => $"{function}({space?.Name ?? "init_mm"})";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override CostEvent CostOf(MachineState state) => keep ? CostEvent.None : new(CostKind.SwitchFlushes, 1);

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
internal sealed class FlushOperation(Cpu cpu, int page, WalkCacheScope scope = WalkCacheScope.All) : Operation
{
    public override string Text => page < 0 ? "[ full TLB flush ]"
        : scope == WalkCacheScope.All ? $"[ INVLPG {Paging.AddressText(page)} ]"
        : $"[ flush {Paging.AddressText(page)}{(scope == WalkCacheScope.None ? ", leaf" : string.Empty)} ]";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    /// <summary>True for INVLPG.</summary>
    internal bool IsOnePage => page >= 0;

    public override CostEvent CostOf(MachineState state) => new(
        IsOnePage ? CostKind.Entries : CostKind.FullFlushes, 1,
        cpu.Machine.Paging.Tlb.HoldsStale(state, cpu, (int)state.Read(cpu.AsidAddress), page));

    public override long Execute(MachineState state, int alternative)
    {
        TlbModel tlb = cpu.Machine.Paging.Tlb;
        if (page >= 0)
        {
            tlb.FlushPage(state, cpu, (int)state.Read(cpu.AsidAddress), page, scope);
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
        tlb.AddCostFootprint(footprint, cpu);
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

/// <summary>Drops everything of all ASIDs, on this CPU (arm64 TLBI VMALLE1) or everywhere (TLBI VMALLE1IS).</summary>
internal sealed class FlushAllOperation(Cpu cpu, bool everywhere, string text) : Operation
{
    public override string Text => text;

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override CostEvent CostOf(MachineState state) => new(
        everywhere ? CostKind.Broadcasts : CostKind.FullFlushes, 1,
        cpu.Machine.Cpus.Any(target => (everywhere || target == cpu) && Enumerable.Range(0, cpu.Machine.Options.Asids)
            .Any(asid => cpu.Machine.Paging.Tlb.HoldsStale(state, target, asid, -1))));

    public override long Execute(MachineState state, int alternative)
    {
        foreach (Cpu target in cpu.Machine.Cpus)
        {
            for (int asid = 0; asid < cpu.Machine.Options.Asids && (everywhere || target == cpu); asid++)
            {
                cpu.Machine.Paging.Tlb.FlushAsid(state, target, asid);
            }
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        foreach (Cpu target in cpu.Machine.Cpus)
        {
            if (everywhere || target == cpu)
            {
                cpu.Machine.Paging.Tlb.AddCostFootprint(footprint, target);
                cpu.Machine.Paging.Tlb.AddFlushFootprint(footprint, target);
            }
        }

        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
    }
}

/// <summary>
/// A broadcast invalidation (arm64 TLBI ...IS) of a page, or of everything (page -1), under one ASID, in the TLBs of all
/// CPUs. It takes effect at once, as if each were waited for: a missing wait behind it goes unnoticed.
/// </summary>
internal sealed class BroadcastFlushOperation(Cpu cpu, int asid, int page, WalkCacheScope scope) : Operation
{
    public override string Text => page < 0 ? $"[ TLBI ASID {asid} ]"
        : $"[ TLBI ASID {asid}, {Paging.AddressText(page)}{(scope == WalkCacheScope.None ? ", leaf" : string.Empty)} ]";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override CostEvent CostOf(MachineState state) => new(
        CostKind.Broadcasts, 1,
        cpu.Machine.Cpus.Any(target => cpu.Machine.Paging.Tlb.HoldsStale(state, target, asid, page)));

    public override long Execute(MachineState state, int alternative)
    {
        TlbModel tlb = cpu.Machine.Paging.Tlb;
        foreach (Cpu target in cpu.Machine.Cpus)
        {
            if (page >= 0)
            {
                tlb.FlushPage(state, target, asid, page, scope);
            }
            else
            {
                tlb.FlushAsid(state, target, asid);
            }
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        foreach (Cpu target in cpu.Machine.Cpus)
        {
            cpu.Machine.Paging.Tlb.AddCostFootprint(footprint, target);
        }

        cpu.Machine.Paging.Tlb.AddBroadcastFootprint(footprint, asid, page, scope);
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
    }
}
