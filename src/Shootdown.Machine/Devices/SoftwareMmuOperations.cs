namespace Shootdown.Machine;

/// <summary>The driver reads or exchanges an entry of a secondary page table.</summary>
internal sealed class SpteOperation(SoftwareMmu mmu, Cpu cpu, int page, Pte? value, string function, CallbackRange? endOf) : Operation
{
    private readonly Translation _value = value is { } pte ? Translation.Of(pte) : default;

    public override string Text => value is { IsNone: false } set
        ? $"{function}({Paging.AddressText(page)}, {set})" : $"{function}({Paging.AddressText(page)})";

    public override StepWeight Weight => value is null ? StepWeight.Context : StepWeight.Key;

    public override CostEvent CostOf(MachineState state)
        => endOf is { Found: false } && mmu.SpteOf(state, page).IsNone ? new(CostKind.CallbacksInVain, 1) : CostEvent.None;

    public override int Alternatives(MachineState state) => value is null || cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        Translation old = mmu.SpteOf(state, page);
        Pte found = old.IsNone ? Pte.None : Pte.Leaf(old.Frame, old.Write);
        if (endOf is { } range)
        {
            foreach (MachineMonitor monitor in mmu.Machine.Monitors)
            {
                monitor.OnSecondaryCallback(state, mmu, range.First, range.Count, range.Found || !old.IsNone);
            }
        }

        if (value is null)
        {
            state.Record?.Note($"{found}");
        }

        if (value is not null)
        {
            bool dangles = !_value.IsNone && state.Read(mmu.Machine.Paging.FrameLifeAddress(_value.Frame)) == 0;
            mmu.SetSpte(state, page, dangles ? _value.AsDangling() : _value);
        }

        return unchecked((long)found.Bits);
    }

    public override void AddFootprint(Footprint footprint)
    {
        if (value is null)
        {
            footprint.Read(mmu.SpteAddress(page));
            return;
        }

        if (!_value.IsNone)
        {
            footprint.Read(mmu.Machine.Paging.FrameLifeAddress(_value.Frame));
        }

        mmu.AddEntryChangeFootprint(footprint, page);
        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
    }
}

/// <summary>The TLBs in front of a secondary page table are flushed, all of them before this is done.</summary>
internal sealed class SpteFlushOperation(SoftwareMmu mmu, Cpu cpu, int first, int count, string function) : Operation
{
    public override string Text => $"{function}()";

    public override StepWeight Weight => StepWeight.Key;

    public override CostEvent CostOf(MachineState state)
        => new(CostKind.SecondaryFlushes, 1, Enumerable.Range(first, count).Any(page => mmu.MayHoldOld(state, page)));

    public override int Alternatives(MachineState state) => cpu.Machine.Model.IsDrained(state, cpu) ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        for (int page = first; page < first + count; page++)
        {
            mmu.Flush(state, page);
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        for (int page = first; page < first + count; page++)
        {
            for (int user = 0; user < mmu.Users; user++)
            {
                footprint.Commute(mmu.TlbAddress(user, page));
                if (mmu.Machine.Costs is not null)
                {
                    footprint.Read(mmu.TlbAddress(user, page));
                }
            }
        }

        cpu.Machine.Model.AddDrainFootprint(footprint, cpu);
    }
}

/// <summary>A user of a secondary MMU loads or stores: its TLB or the table translates, or it faults.</summary>
internal sealed class SecondaryAccessOperation(SoftwareMmu mmu, Cpu? cpu, int user, int page, bool write, int value) : Operation
{
    private readonly SecondaryRules _rules = new(mmu, cpu, user, page);

    public override string Text => $"{(write ? "store" : "load")} {Paging.AddressText(page)}";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state)
        => write && cpu is not null && cpu.Machine.Model.StoreAlternatives(state, cpu, MemoryOrder.Relaxed) == 0
            ? 0 : _rules.Choices(state, write, stackalloc SecondaryChoice[SecondaryRules.ChoicesMax]);

    public override long Execute(MachineState state, int alternative)
    {
        Span<SecondaryChoice> choices = stackalloc SecondaryChoice[SecondaryRules.ChoicesMax];
        _rules.Choices(state, write, choices);
        SecondaryChoice choice = choices[alternative];
        _rules.Report(state, choice, write);
        _rules.Choose(state, choice);
        if (choice.Value.IsNone)
        {
            return AccessResult.FaultBit;
        }

        int content = mmu.Machine.Paging.FrameContentAddress(choice.Value.Frame);
        if (cpu is null)
        {
            ulong before = state.Read(content);
            state.Write(content, write ? (ulong)value : before);
            return write ? 0 : (uint)before;
        }

        if (!write)
        {
            return (uint)cpu.Machine.Model.Load(state, cpu, content, MemoryOrder.Relaxed, 0);
        }

        cpu.Machine.Model.Store(state, cpu, content, (ulong)value, MemoryOrder.Relaxed);
        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        _rules.AddFootprint(footprint, true);
        foreach (int content in _rules.Contents())
        {
            if (cpu is null && write)
            {
                footprint.Write(content);
            }
            else if (cpu is null)
            {
                footprint.Read(content);
            }
            else if (write)
            {
                cpu.Machine.Model.AddStoreFootprint(footprint, cpu, content);
            }
            else
            {
                cpu.Machine.Model.AddLoadFootprint(footprint, cpu, content);
            }
        }
    }
}

/// <summary>
/// A load of a user whose value is not used. It faults, or hits: then all translations that it could use are judged, and none is
/// forgotten (as <see cref="TouchOperation"/>).
/// </summary>
internal sealed class SecondaryTouchOperation(SoftwareMmu mmu, Cpu? cpu, int user, int page) : Operation
{
    private readonly SecondaryRules _rules = new(mmu, cpu, user, page);

    public override string Text => $"load {Paging.AddressText(page)}";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state)
    {
        Span<SecondaryChoice> choices = stackalloc SecondaryChoice[SecondaryRules.ChoicesMax];
        int count = _rules.Choices(state, false, choices);
        return count > 1 && Faults(choices[..count]) >= 0 ? 2 : 1;
    }

    public override long Execute(MachineState state, int alternative)
    {
        Span<SecondaryChoice> choices = stackalloc SecondaryChoice[SecondaryRules.ChoicesMax];
        int count = _rules.Choices(state, false, choices);
        int fault = Faults(choices[..count]);
        if (fault >= 0 && (alternative == 1 || count == 1))
        {
            _rules.Report(state, choices[fault], false);
            _rules.Choose(state, choices[fault]);
            return AccessResult.FaultBit;
        }

        for (int i = 0; i < count; i++)
        {
            if (i != fault && state.Violation is null)
            {
                _rules.Report(state, choices[i], false);
            }
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint) => _rules.AddFootprint(footprint, true);

    private static int Faults(ReadOnlySpan<SecondaryChoice> choices)
    {
        for (int i = 0; i < choices.Length; i++)
        {
            if (choices[i].Value.IsNone)
            {
                return i;
            }
        }

        return -1;
    }
}
