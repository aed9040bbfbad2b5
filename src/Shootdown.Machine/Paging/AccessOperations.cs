namespace Shootdown.Machine;

/// <summary>A user access: the hardware translates in one of the possible ways, sets A and D, and reads or writes the frame.</summary>
internal sealed class AccessOperation(Cpu cpu, int page, bool write, int value) : Operation
{
    private readonly Paging _paging = cpu.Machine.Paging;

    public override string Text => $"{(write ? "store" : "load")} {Paging.AddressText(page)}";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state)
    {
        if (write && cpu.Machine.Model.StoreAlternatives(state, cpu, MemoryOrder.Relaxed) == 0)
        {
            return 0;
        }

        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        return _paging.Tlb.Choices(state, cpu, page, write, choices);
    }

    public override long Execute(MachineState state, int alternative)
    {
        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        _paging.Tlb.Choices(state, cpu, page, write, choices);
        AccessChoice choice = choices[alternative];
        bool isStale = AccessRules.IsStale(state, cpu, page, choice);
        AccessRules.Report(state, cpu, page, choice, write, isStale);
        if (choice.Faults)
        {
            _paging.Tlb.Choose(state, cpu, page, choice);
            return AccessResult.FaultBit;
        }

        choice = AccessRules.SetAccessedAndDirty(state, _paging, choice, write);
        _paging.Tlb.Choose(state, cpu, page, choice);
        int content = _paging.FrameContentAddress(choice.Value.Frame);
        if (write)
        {
            cpu.Machine.Model.Store(state, cpu, content, (ulong)value, MemoryOrder.Relaxed);
            return 0;
        }

        return (uint)cpu.Machine.Model.Load(state, cpu, content, MemoryOrder.Relaxed, 0);
    }

    public override void AddFootprint(Footprint footprint)
    {
        AccessRules.AddFootprint(footprint, cpu, page, true);
        MemoryModel model = cpu.Machine.Model;
        for (int frame = 0; frame < _paging.Frames.Count; frame++)
        {
            if (_paging.IsFrameOfPage(frame, page))
            {
                if (write)
                {
                    model.AddStoreFootprint(footprint, cpu, _paging.FrameContentAddress(frame));
                }
                else
                {
                    model.AddLoadFootprint(footprint, cpu, _paging.FrameContentAddress(frame));
                }
            }
        }

        AccessRules.AddEntryFootprint(footprint, _paging, page, write);
    }
}

/// <summary>
/// A load whose value is not used. It either faults or hits; a hit changes nothing (see <see cref="LaggingTlb"/>), and all
/// translations that it could use are judged at once.
/// </summary>
internal sealed class TouchOperation(Cpu cpu, int page) : Operation
{
    private readonly Paging _paging = cpu.Machine.Paging;

    public override string Text => $"load {Paging.AddressText(page)}";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state)
    {
        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        return AccessRules.TouchAlternatives(choices[.._paging.Tlb.Choices(state, cpu, page, false, choices)]);
    }

    public override long Execute(MachineState state, int alternative)
    {
        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        int count = _paging.Tlb.Choices(state, cpu, page, false, choices);
        bool hit = false;
        for (int i = 0; i < count && alternative == 0; i++)
        {
            hit |= !choices[i].Faults;
            if (!choices[i].Faults && state.Violation is null)
            {
                AccessRules.Report(state, cpu, page, choices[i], false, AccessRules.IsStale(state, cpu, page, choices[i]));
                if (!_paging.Tlb.TouchKeepsContents)
                {
                    _paging.Tlb.Choose(state, cpu, page, choices[i]);
                }
            }
        }

        if (hit)
        {
            return 0;
        }

        return Fault(state, choices[..count]);
    }

    /// <summary>Whichever walk it was that faulted leaves the same TLB behind, but each of them is judged.</summary>
    private long Fault(MachineState state, ReadOnlySpan<AccessChoice> choices)
    {
        int first = -1;
        for (int i = 0; i < choices.Length && state.Violation is null; i++)
        {
            if (choices[i].Faults && first < 0)
            {
                first = i;
                AccessRules.Report(state, cpu, page, choices[i], false, false);
            }
            else if (choices[i].Faults)
            {
                AccessRules.ReportWalk(state, cpu, page, choices[i]);
            }
        }

        _paging.Tlb.Choose(state, cpu, page, choices[first]);
        return AccessResult.FaultBit;
    }

    public override void AddFootprint(Footprint footprint) => AccessRules.AddFootprint(footprint, cpu, page, true);
}

/// <summary>The walker may run ahead for any page at any time: it must never read a freed table.</summary>
internal sealed class SpeculativeWalkOperation(Cpu cpu) : Operation
{
    public override string Text => "[ speculative page walk ]";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => state.Read(cpu.RootAddress) != 0 ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        Paging paging = cpu.Machine.Paging;
        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        for (int page = 0; page < paging.PageCount; page++)
        {
            int count = paging.Tlb.Choices(state, cpu, page, false, choices);
            for (int i = 0; i < count && state.Violation is null; i++)
            {
                if (!choices[i].FromTlb)
                {
                    AccessRules.ReportWalk(state, cpu, page, choices[i]);
                }
            }
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        for (int page = 0; page < cpu.Machine.Paging.PageCount; page++)
        {
            AccessRules.AddFootprint(footprint, cpu, page, false);
        }
    }
}

/// <summary>What all accesses have in common, and what they report to the properties.</summary>
internal static class AccessRules
{
    internal static void RequireRoot(MachineState state, Cpu cpu, int page)
    {
        if (state.Read(cpu.RootAddress) == 0)
        {
            throw new ProcRuleException($"{cpu} accesses {Paging.AddressText(page)} while no user address space is loaded");
        }
    }

    /// <summary>
    /// Hardware sets the accessed bit, if the machine has one, and for a store the dirty bit in the entry that a walk used; the
    /// translation that it caches then knows that the entry is dirty.
    /// </summary>
    internal static AccessChoice SetAccessedAndDirty(MachineState state, Paging paging, in AccessChoice choice, bool write)
    {
        if (choice.EntryAddress < 0)
        {
            return choice;
        }

        ulong bits = (paging.Machine.Options.AccessedBit ? Pte.AccessedBit : 0) | (write ? Pte.DirtyBit : 0);
        state.Write(choice.EntryAddress, state.Read(choice.EntryAddress) | bits);
        return write ? choice with { Value = new Translation((ushort)(choice.Value.Bits | Translation.DirtyBit)) } : choice;
    }

    /// <summary>The entries in which <see cref="SetAccessedAndDirty"/> may set bits.</summary>
    internal static void AddEntryFootprint(Footprint footprint, Paging paging, int page, bool write)
    {
        for (int table = 0; table < paging.TableCount && (write || paging.Machine.Options.AccessedBit); table++)
        {
            for (int level = 0; level < paging.Levels; level++)
            {
                footprint.Write(paging.EntryAddress(table, level, page));
            }
        }
    }

    /// <summary>An access whose value is not used can do two things at most: hit, or fault.</summary>
    internal static int TouchAlternatives(ReadOnlySpan<AccessChoice> choices)
    {
        bool hits = false;
        bool faults = false;
        foreach (AccessChoice choice in choices)
        {
            hits |= !choice.Faults;
            faults |= choice.Faults;
        }

        return (hits ? 1 : 0) + (faults ? 1 : 0);
    }

    /// <summary>True if a walk from the root would not give this translation now.</summary>
    internal static bool IsStale(MachineState state, Cpu cpu, int page, in AccessChoice choice)
    {
        if (choice.Faults || (!choice.FromTlb && choice.CachedLevel == 0))
        {
            return false;
        }

        AddressSpace space = cpu.Machine.Paging.Spaces[(int)state.Read(cpu.RootAddress) - 1];
        Translation now = Translation.Of(TlbInspector.CurrentLeaf(state, space, page));
        return now.Frame != choice.Value.Frame || now.IsNone || (choice.Value.Write && !now.Write);
    }

    internal static void Report(MachineState state, Cpu cpu, int page, in AccessChoice choice, bool write, bool isStale)
    {
        ReportWalk(state, cpu, page, choice);
        Paging paging = cpu.Machine.Paging;
        AddressSpace space = paging.Spaces[(int)state.Read(cpu.RootAddress) - 1];
        if (choice.Faults)
        {
            state.Record?.Note("[ page fault ]");
            foreach (MachineMonitor monitor in cpu.Machine.Monitors)
            {
                monitor.OnFault(state, cpu, space, page, write);
            }

            return;
        }

        Translation used = choice.Value;
        if (state.Read(paging.FrameLifeAddress(used.Frame)) == 0)
        {
            used = used.AsDangling();
        }

        if (state.Record is { } record)
        {
            string rights = write || (isStale && used.Write) ? ", writable" : string.Empty;
            record.Note(isStale ? $"[ TLB: stale entry, frame {used.Frame}{rights} ]" : $"[ TLB: frame {used.Frame}{rights} ]");
        }

        var access = new AccessEvent(cpu, space, page, used, isStale, write);
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            if (state.Violation is null)
            {
                monitor.OnAccess(state, access);
            }
        }
    }

    internal static void ReportWalk(MachineState state, Cpu cpu, int page, in AccessChoice choice)
    {
        foreach (MachineMonitor monitor in cpu.Machine.Monitors)
        {
            if (choice.FreedTable >= 0)
            {
                monitor.OnWalkOfFreedTable(state, cpu, page, choice.FreedTable);
            }
            else if (!choice.FromTlb)
            {
                monitor.OnWalk(state, cpu);
            }
        }
    }

    internal static void AddFootprint(Footprint footprint, Cpu cpu, int page, bool changesTlb)
    {
        Paging paging = cpu.Machine.Paging;
        paging.Tlb.AddAccessFootprint(footprint, cpu, page, changesTlb);
        for (int frame = 0; frame < paging.Frames.Count; frame++)
        {
            if (paging.IsFrameOfPage(frame, page))
            {
                footprint.Read(paging.FrameLifeAddress(frame));
            }
        }

        foreach (AddressSpace space in paging.Spaces)
        {
            foreach (MachineMonitor monitor in cpu.Machine.Monitors)
            {
                monitor.AddAccessFootprint(footprint, space, page);
            }
        }
    }
}
