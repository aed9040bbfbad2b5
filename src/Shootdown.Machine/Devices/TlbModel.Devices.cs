namespace Shootdown.Machine;

/// <content>The translations of devices: the IOMMU and the device's own TLB are two more holders of translations.</content>
internal abstract partial class TlbModel
{
    /// <summary>All ways in which a device's access can be translated now. Those from ownFrom on hit the device's own TLB.</summary>
    internal abstract int DeviceChoices(MachineState state, Device device, int page, bool write, Span<AccessChoice> choices, out int ownFrom);

    /// <summary>The IOTLB and the device's own TLB after an access that did not fault.</summary>
    internal abstract void DeviceChoose(MachineState state, Device device, int page, in AccessChoice choice);

    /// <summary>What the device may have loaded from the IOMMU, before the IOMMU loses it.</summary>
    /// <param name="state">The state.</param>
    /// <param name="device">The device.</param>
    /// <param name="page">A page.</param>
    /// <param name="onlyHuge">True if only parts of huge pages are lost.</param>
    protected abstract void BeforeIommuFlush(MachineState state, Device device, int page, bool onlyHuge);

    /// <summary>An invalidation command takes effect.</summary>
    internal void DeviceInvalidate(MachineState state, Device device, InvalidationCommand command)
    {
        int end = Math.Min(command.First + command.Count, Paging.PageCount);
        switch (command.Kind)
        {
            case InvalidationKind.Iotlb:
            case InvalidationKind.IotlbLeaf:
                for (int page = command.First; page < end; page++)
                {
                    for (int other = 0; other < Paging.PageCount; other++)
                    {
                        if (other == page || Paging.Levels > 1)
                        {
                            BeforeIommuFlush(state, device, other, onlyHuge: other != page);
                        }
                    }

                    FlushPage(
                        state, device.Iommu, 0, page, command.Kind == InvalidationKind.Iotlb ? WalkCacheScope.Path : WalkCacheScope.None);
                }

                break;
            case InvalidationKind.Pasid:
                for (int page = 0; page < Paging.PageCount; page++)
                {
                    BeforeIommuFlush(state, device, page, false);
                }

                FlushAsid(state, device.Iommu, 0);
                LoadRoot(state, device.Iommu, (int)state.Read(device.PasidEntry.Address), 0, false);
                break;
            case InvalidationKind.DeviceTlb:
                for (int page = command.First; page < end; page++)
                {
                    FlushPage(state, device.Atc, 0, page, WalkCacheScope.None);
                }

                break;
            default:
                FlushAsid(state, device.Atc, 0);
                break;
        }
    }

    /// <summary>True if what a command drops may be out of date. Meaningful where sets hold old values only, so not for the reference.</summary>
    internal bool DropsOld(MachineState state, Device device, InvalidationCommand command)
    {
        bool own = command.Kind is InvalidationKind.DeviceTlb or InvalidationKind.DeviceTlbAll;
        bool all = command.Kind is InvalidationKind.DeviceTlbAll or InvalidationKind.Pasid;
        Cpu holder = own ? device.Atc : device.Iommu;
        int end = all ? Paging.PageCount : Math.Min(command.First + command.Count, Paging.PageCount);
        for (int page = all ? 0 : command.First; page < end; page++)
        {
            if (LeafSet(state, holder.Index, 0, page) != 0)
            {
                return true;
            }
        }

        return command.Kind != InvalidationKind.IotlbLeaf && UpperSets(holder.Index, 0).Any(address => state.Read(address) != 0);
    }

    internal void AddDeviceInvalidateFootprint(Footprint footprint, Device device)
    {
        footprint.Read(device.AtsAddress);
        footprint.Read(device.PasidEntry.Address);
        AddRootFootprint(footprint, device.Iommu);
        footprint.WriteRange(LeafAddress(device.Atc.Index, 0, 0), Paging.PageCount);
        footprint.WriteRange(UpperRange(device.Atc), Asids * _upperPerAsid);
    }

    internal void AddDeviceFootprint(Footprint footprint, Device device, int page)
    {
        footprint.Read(device.AtsAddress);
        footprint.Read(device.PasidEntry.Address);
        footprint.Read(device.Iommu.RootAddress);
        footprint.Read(device.Iommu.AsidAddress);
        Paging.AddWalkFootprint(footprint, page);
        foreach (Cpu holder in (Cpu[])[device.Iommu, device.Atc])
        {
            if (TouchKeepsContents)
            {
                footprint.Read(LeafAddress(holder.Index, 0, page));
                footprint.ReadRange(UpperRange(holder), Asids * _upperPerAsid);
            }
            else
            {
                footprint.Write(LeafAddress(holder.Index, 0, page));
                footprint.WriteRange(UpperRange(holder), Asids * _upperPerAsid);
            }
        }
    }

    /// <summary>The PASID has no entry, or the IOMMU may have lost its copy of one that was cleared: the access is refused.</summary>
    protected static bool MayRefuse(MachineState state, Device device)
        => state.Read(device.Iommu.RootAddress) == 0 || state.Read(device.PasidEntry.Address) == 0;

    private int UpperRange(Cpu holder) => _upper + (holder.Index * Asids * _upperPerAsid);
}

/// <content>Devices: sets that only invalidation reduces.</content>
internal sealed partial class LaggingTlb
{
    internal override int DeviceChoices(MachineState state, Device device, int page, bool write, Span<AccessChoice> choices, out int ownFrom)
    {
        int count = state.Read(device.Iommu.RootAddress) == 0 ? 0 : Choices(state, device.Iommu, page, write, choices);
        ownFrom = count;
        if (state.Read(device.AtsAddress) != 0)
        {
            for (ulong rest = state.Read(LeafAddress(device.Atc.Index, 0, page)); rest != 0; rest >>= 16)
            {
                var value = new Translation((ushort)rest);

                // A translation that does not grant the access, or not without marking the entry dirty, is requested again from the IOMMU.
                if (!write || (value.Write && value.DirtyKnown))
                {
                    choices[count++] = new AccessChoice(value, false, true, -1, 0, default, -1);
                }
            }
        }

        if (MayRefuse(state, device))
        {
            choices[count++] = new AccessChoice(default, true, true, -1, 0, default, -1);
        }

        return count;
    }

    internal override void DeviceChoose(MachineState state, Device device, int page, in AccessChoice choice)
    {
    }

    /// <summary>
    /// While the IOMMU holds a translation the device's own TLB can load it at any time, so only its loss must be noted.
    /// </summary>
    protected override void BeforeIommuFlush(MachineState state, Device device, int page, bool onlyHuge)
    {
        if (state.Read(device.AtsAddress) == 0 || state.Read(device.Iommu.RootAddress) == 0)
        {
            return;
        }

        Span<AccessChoice> choices = stackalloc AccessChoice[ChoicesMax];
        int count = Choices(state, device.Iommu, page, false, choices);
        bool losesRoot = state.Read(device.PasidEntry.Address) == 0;
        for (int i = losesRoot ? 0 : 1; i < count; i++)
        {
            if (!choices[i].Faults && (!onlyHuge || choices[i].Value.Huge))
            {
                Remember(state, LeafAddress(device.Atc.Index, 0, page), choices[i].Value);
            }
        }
    }
}
