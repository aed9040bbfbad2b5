namespace Shootdown.Machine;

/// <content>Devices: one translation a page in the IOTLB and in the device's own TLB, filled and evicted by steps.</content>
internal sealed partial class ExplicitTlb
{
    internal override int DeviceChoices(MachineState state, Device device, int page, bool write, Span<AccessChoice> choices, out int ownFrom)
    {
        int count = 0;
        var own = new Translation((ushort)state.Read(LeafAddress(device.Atc.Index, 0, page)));
        bool hitsOwn = !own.IsNone && state.Read(device.AtsAddress) != 0 && (!write || (own.Write && own.DirtyKnown));
        ownFrom = hitsOwn ? 0 : 1;
        if (hitsOwn)
        {
            choices[count++] = new AccessChoice(own, false, true, -1, 0, default, -1);
        }
        else if (state.Read(device.Iommu.RootAddress) != 0)
        {
            count += Choices(state, device.Iommu, page, write, choices);
        }

        if (count == 0 || (!hitsOwn && MayRefuse(state, device)))
        {
            choices[count++] = new AccessChoice(default, true, true, -1, 0, default, -1);
        }

        return count;
    }

    internal override void DeviceChoose(MachineState state, Device device, int page, in AccessChoice choice)
    {
        if (!choice.FromTlb)
        {
            state.Write(LeafAddress(device.Iommu.Index, 0, page), TranslationSet.Of(choice.Value));
        }

        if (state.Read(device.AtsAddress) != 0)
        {
            state.Write(LeafAddress(device.Atc.Index, 0, page), TranslationSet.Of(choice.Value));
        }
    }

    protected override void BeforeIommuFlush(MachineState state, Device device, int page, bool onlyHuge)
    {
    }

    [KernelName]
    private async Proc FillAtcForEver(Device device)
    {
        while (true)
        {
            await new Op(new AtcMoveOperation(this, device));
        }
    }

    /// <summary>The device's own TLB loads one translation from the IOMMU, or evicts one: one alternative a possible move.</summary>
    private sealed class AtcMoveOperation(ExplicitTlb tlb, Device device) : Operation
    {
        public override string Text => "[ device TLB fill or evict ]";

        public override int Alternatives(MachineState state) => Move(state, -1);

        public override long Execute(MachineState state, int alternative)
        {
            Move(state, alternative);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            for (int page = 0; page < tlb.Paging.PageCount; page++)
            {
                tlb.AddDeviceFootprint(footprint, device, page);
            }
        }

        private int Move(MachineState state, int wanted)
        {
            int count = 0;
            if (state.Read(device.AtsAddress) == 0)
            {
                return 0;
            }

            Span<AccessChoice> choices = stackalloc AccessChoice[ChoicesMax];
            bool canFill = state.Read(device.Iommu.RootAddress) != 0;
            for (int page = 0; page < tlb.Paging.PageCount; page++)
            {
                int own = tlb.LeafAddress(device.Atc.Index, 0, page);
                Translation next = default;
                if (state.Read(own) == 0 && canFill && tlb.Choices(state, device.Iommu, page, false, choices) > 0 && !choices[0].Faults)
                {
                    next = choices[0].Value;
                }

                if (state.Read(own) == next.Bits)
                {
                    continue;
                }

                if (count == wanted)
                {
                    state.Write(own, next.Bits);
                }

                count++;
            }

            return count;
        }
    }
}
