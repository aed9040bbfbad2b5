namespace Shootdown.Machine;

internal enum EntryAction
{
    Read,
    Store,
    Exchange,
    ClearBits,
    CompareExchange,
}

/// <summary>Kernel code reads or changes one page-table entry.</summary>
internal sealed class EntryOperation(
    Cpu cpu, PageTable table, int page, EntryAction action, Pte value, Pte expected, string function, StepWeight weight = StepWeight.Key)
    : Operation
{
    private readonly Paging _paging = cpu.Machine.Paging;
    private readonly int _address = cpu.Machine.Paging.CheckedEntryAddress(table, page, function);

    public override string Text => action == EntryAction.Store
        ? $"{function}({Paging.AddressText(page)}, {Shown(value)})"
        : $"{function}({Paging.AddressText(page)})";

    public override StepWeight Weight => weight;

    public override int Alternatives(MachineState state)
    {
        MemoryModel model = cpu.Machine.Model;
        return action switch
        {
            EntryAction.Read => model.LoadAlternatives(state, cpu, _address, MemoryOrder.Relaxed),
            EntryAction.Store => model.StoreAlternatives(state, cpu, MemoryOrder.Relaxed),
            _ => model.IsDrained(state, cpu) ? 1 : 0,
        };
    }

    public override long Execute(MachineState state, int alternative)
    {
        MemoryModel model = cpu.Machine.Model;
        TableUse.Report(state, cpu, table.Index, action == EntryAction.Read ? "reads an entry" : "changes an entry");
        if (action == EntryAction.Store)
        {
            model.Store(state, cpu, _address, value.Bits, MemoryOrder.Relaxed);
            return 0;
        }

        if (action == EntryAction.Read)
        {
            var read = new Pte(model.Load(state, cpu, _address, MemoryOrder.Relaxed, alternative));
            state.Record?.Note($"is {Shown(read)}");
            ReportRead(state, read);
            return unchecked((long)read.Bits);
        }

        var old = new Pte(state.Read(_address));
        state.Record?.Note($"was {Shown(old)}");
        ReportRead(state, old);
        Pte next = action switch
        {
            EntryAction.Exchange => value,
            EntryAction.ClearBits => old.Without(value.Bits),
            _ => old == expected ? value : old,
        };
        cpu.Machine.Commit(state, _address, next.Bits);
        return unchecked((long)old.Bits);
    }

    private string Shown(Pte entry) => table.Level > 0 && entry.Present && !entry.Huge ? $"table {entry.Frame}" : entry.ToString();

    public override long ResultUnder(Permutation permutation, long result)
        => unchecked((long)permutation.EntryOf(new Pte((ulong)result)).Bits);

    public override void AddFootprint(Footprint footprint)
    {
        MemoryModel model = cpu.Machine.Model;
        footprint.Read(_paging.HomeAddress(table.Index));
        TableUse.AddFootprint(footprint, cpu, table.Index);
        footprint.Read(_paging.LockOf(table.Index).Word.Address);
        if (action == EntryAction.Store)
        {
            model.AddStoreFootprint(footprint, cpu, _address);
            return;
        }

        model.AddLoadFootprint(footprint, cpu, _address);
        model.AddDrainFootprint(footprint, cpu);
        if (action != EntryAction.Read)
        {
            cpu.Machine.AddCommitFootprint(footprint, _address);
        }

        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.AddEntryReadFootprint(footprint, page);
        }
    }

    /// <summary>Only leaf entries are judged: what an upper entry grants is decided below it.</summary>
    private void ReportRead(MachineState state, Pte read)
    {
        if (table.Level != 0)
        {
            return;
        }

        bool locked = _paging.LockOf(table.Index).IsHeldBy(state, cpu);
        AddressSpace space = _paging.HomeOf(state, table.Index).Space;
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            monitor.OnEntryRead(state, cpu, space, page, read, locked);
        }
    }
}
