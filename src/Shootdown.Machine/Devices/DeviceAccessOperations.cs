namespace Shootdown.Machine;

/// <summary>A device's access: its own TLB, the IOTLB or a walk of the IOMMU translates. Behind the IOMMU there is no store buffer.</summary>
internal sealed class DeviceAccessOperation(Device device, int page, bool write, int value) : Operation
{
    private readonly Paging _paging = device.Machine.Paging;

    public override string Text => $"{(write ? "store" : "load")} {Paging.AddressText(page)}";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state)
    {
        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        return _paging.Tlb.DeviceChoices(state, device, page, write, choices, out _);
    }

    public override long Execute(MachineState state, int alternative)
    {
        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        _paging.Tlb.DeviceChoices(state, device, page, write, choices, out int ownFrom);
        AccessChoice choice = choices[alternative];
        DeviceRules.Report(state, device, page, choice, write, alternative >= ownFrom);
        if (choice.Faults)
        {
            return AccessResult.FaultBit;
        }

        choice = AccessRules.SetAccessedAndDirty(state, _paging, choice, write);
        _paging.Tlb.DeviceChoose(state, device, page, choice);
        int content = _paging.FrameContentAddress(choice.Value.Frame);
        if (write)
        {
            state.Write(content, (ulong)value);
            return 0;
        }

        return (uint)state.Read(content);
    }

    public override void AddFootprint(Footprint footprint)
    {
        DeviceRules.AddFootprint(footprint, device, page);
        for (int frame = 0; frame < _paging.Frames.Count; frame++)
        {
            if (write)
            {
                footprint.Write(_paging.FrameContentAddress(frame));
            }
            else
            {
                footprint.Read(_paging.FrameContentAddress(frame));
            }
        }

        AccessRules.AddEntryFootprint(footprint, _paging, page, write);
    }
}

/// <summary>A device's load whose value is not used: it hits or faults; a hit judges all translations that it could use.</summary>
internal sealed class DeviceTouchOperation(Device device, int page) : Operation
{
    private readonly Paging _paging = device.Machine.Paging;

    public override string Text => $"load {Paging.AddressText(page)}";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state)
    {
        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        return AccessRules.TouchAlternatives(choices[.._paging.Tlb.DeviceChoices(state, device, page, false, choices, out _)]);
    }

    public override long Execute(MachineState state, int alternative)
    {
        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        int count = _paging.Tlb.DeviceChoices(state, device, page, false, choices, out int ownFrom);
        bool hits = false;
        for (int i = 0; i < count && alternative == 0; i++)
        {
            hits |= !choices[i].Faults;
        }

        bool chosen = false;
        for (int i = 0; i < count && state.Violation is null; i++)
        {
            if (choices[i].Faults == hits)
            {
                continue;
            }

            if (hits || !chosen)
            {
                DeviceRules.Report(state, device, page, choices[i], false, i >= ownFrom);
            }
            else
            {
                DeviceRules.ReportWalk(state, device, page, choices[i]);
            }

            if (hits && !chosen)
            {
                _paging.Tlb.DeviceChoose(state, device, page, choices[i]);
            }

            chosen = true;
        }

        return hits ? 0 : AccessResult.FaultBit;
    }

    public override void AddFootprint(Footprint footprint) => DeviceRules.AddFootprint(footprint, device, page);
}

/// <summary>The IOMMU's walker runs ahead, or serves a request for any address: it must never read a freed table.</summary>
internal sealed class DeviceWalkOperation(Device device) : Operation
{
    private readonly Paging _paging = device.Machine.Paging;

    public override string Text => "[ IOMMU page walk ]";

    public override StepWeight Weight => StepWeight.Key;

    public override int Alternatives(MachineState state) => state.Read(device.Iommu.RootAddress) != 0 ? 1 : 0;

    public override long Execute(MachineState state, int alternative)
    {
        Span<AccessChoice> choices = stackalloc AccessChoice[TlbModel.ChoicesMax];
        for (int page = 0; page < _paging.PageCount; page++)
        {
            int count = _paging.Tlb.DeviceChoices(state, device, page, false, choices, out _);
            for (int i = 0; i < count && state.Violation is null; i++)
            {
                DeviceRules.ReportWalk(state, device, page, choices[i]);
            }
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        for (int page = 0; page < _paging.PageCount; page++)
        {
            DeviceRules.AddFootprint(footprint, device, page);
        }
    }
}

/// <summary>A page request is sent (page at least 0), or its answer is waited for.</summary>
internal sealed class PageRequestOperation(Device device, int page, bool write) : Operation
{
    public override string Text => page >= 0 ? $"[ page request {Paging.AddressText(page)} ]" : "[ page response ]";

    public override StepWeight Weight => page >= 0 ? StepWeight.Key : StepWeight.Context;

    public override int Alternatives(MachineState state) => page >= 0 || state.Read(device.PageRequest.Address) == 0 ? 1 : 0;

    public override int BlockedOn(MachineState state) => device.PageRequest.Address;

    public override long Execute(MachineState state, int alternative)
    {
        if (page >= 0)
        {
            state.Write(device.PageRequest.Address, (2 * ((ulong)page + 1)) + (write ? 1UL : 0));
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint) => footprint.Write(device.PageRequest.Address);
}

/// <summary>A device waits for a register that a CPU writes.</summary>
internal sealed class DoorbellOperation(Word register) : Operation
{
    public override string Text => $"{register.Name} rings";

    public override StepWeight Weight => StepWeight.Context;

    public override int Alternatives(MachineState state) => state.Read(register.Address) != 0 ? 1 : 0;

    public override int BlockedOn(MachineState state) => register.Address;

    public override long Execute(MachineState state, int alternative) => unchecked((long)state.Read(register.Address));

    public override void AddFootprint(Footprint footprint) => footprint.Read(register.Address);
}

/// <summary>What all accesses of devices report to the properties.</summary>
internal static class DeviceRules
{
    internal static void Report(MachineState state, Device device, int page, in AccessChoice choice, bool write, bool ownTlb)
    {
        ReportWalk(state, device, page, choice);
        AddressSpace space = device.RequireSpace();
        if (choice.Faults)
        {
            state.Record?.Note("[ page fault ]");
            foreach (MachineMonitor monitor in device.Machine.Monitors)
            {
                monitor.OnFault(state, device.Iommu, space, page, write);
            }

            return;
        }

        bool isStale = IsStale(state, device, space, page, choice);
        Translation used = choice.Value;
        if (state.Read(device.Machine.Paging.FrameLifeAddress(used.Frame)) == 0)
        {
            used = used.AsDangling();
        }

        if (state.Record is { } record)
        {
            string rights = write || (isStale && used.Write) ? ", writable" : string.Empty;
            string where = ownTlb ? "device TLB" : "IOTLB";
            record.Note(isStale ? $"[ {where}: stale entry, frame {used.Frame}{rights} ]" : $"[ {where}: frame {used.Frame}{rights} ]");
        }

        var access = new AccessEvent(device.Iommu, space, page, used, isStale, write);
        foreach (MachineMonitor monitor in device.Machine.Monitors)
        {
            if (state.Violation is null)
            {
                monitor.OnAccess(state, access);
            }
        }
    }

    internal static void ReportWalk(MachineState state, Device device, int page, in AccessChoice choice)
    {
        if (!choice.FromTlb)
        {
            AccessRules.ReportWalk(state, device.Iommu, page, choice);
        }
    }

    internal static void AddFootprint(Footprint footprint, Device device, int page)
    {
        Paging paging = device.Machine.Paging;
        paging.Tlb.AddDeviceFootprint(footprint, device, page);
        for (int frame = 0; frame < paging.Frames.Count; frame++)
        {
            footprint.Read(paging.FrameLifeAddress(frame));
        }

        foreach (AddressSpace space in paging.Spaces)
        {
            foreach (MachineMonitor monitor in device.Machine.Monitors)
            {
                monitor.AddAccessFootprint(footprint, space, page);
            }
        }
    }

    /// <summary>True if a walk from the root would not give this translation now, or there is no root any more.</summary>
    private static bool IsStale(MachineState state, Device device, AddressSpace space, int page, in AccessChoice choice)
    {
        if (!choice.FromTlb && choice.CachedLevel == 0)
        {
            return false;
        }

        Translation now = Translation.Of(TlbInspector.CurrentLeaf(state, space, page));
        return now.IsNone || now.Frame != choice.Value.Frame || (choice.Value.Write && !now.Write) || state.Read(device.Iommu.RootAddress) == 0;
    }
}
