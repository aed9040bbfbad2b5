namespace Shootdown.Machine;

/// <summary>
/// A TLB as hardware has it: at most one cached value a page and one cached table an upper entry, filled and evicted
/// at any time by a hardware agent a CPU. The reference that <see cref="LaggingTlb"/> is compared with.
/// </summary>
internal sealed partial class ExplicitTlb(Paging paging) : TlbModel(paging)
{
    internal override bool TouchKeepsContents => false;

    internal override void BeforeEntryChange(MachineState state, in EntryChange change)
    {
    }

    internal override void AfterEntryChange(MachineState state, in EntryChange change)
    {
        if (!change.New.Present)
        {
            return;
        }

        bool isTable = change.Level > 0 && !change.New.Huge;
        for (int cpu = 0; cpu < Cpus; cpu++)
        {
            for (int asid = 0; asid < Asids; asid++)
            {
                for (int offset = 0; offset < (isTable ? 1 : Paging.SpanOf(change.Level)); offset++)
                {
                    if (isTable && !HasWalkCaches)
                    {
                        continue;
                    }

                    int address = isTable
                        ? UpperAddress(cpu, asid, change.Level, change.Page)
                        : LeafAddress(cpu, asid, change.Page + offset);
                    state.Write(address, Revive(state.Read(address), change.New.Frame + offset));
                }
            }
        }
    }

    internal override int Choices(MachineState state, Cpu cpu, int page, bool write, Span<AccessChoice> choices)
    {
        int asid = (int)state.Read(cpu.AsidAddress);
        ulong cached = state.Read(LeafAddress(cpu.Index, asid, page));
        if (cached != 0)
        {
            var value = new Translation((ushort)cached);
            if (write && !value.Write)
            {
                choices[0] = new AccessChoice(default, true, true, -1, 0, default, -1);
                return 1;
            }

            if (!write || value.DirtyKnown)
            {
                choices[0] = new AccessChoice(value, false, true, -1, 0, default, -1);
                return 1;
            }
        }

        choices[0] = Walk(state, cpu, asid, page, write, 0);
        return 1;
    }

    internal override void Choose(MachineState state, Cpu cpu, int page, in AccessChoice choice)
    {
        int asid = (int)state.Read(cpu.AsidAddress);
        if (choice.Faults)
        {
            state.Write(LeafAddress(cpu.Index, asid, page), 0);
            for (int level = 1; level < Paging.Levels && HasWalkCaches; level++)
            {
                state.Write(UpperAddress(cpu.Index, asid, level, page), 0);
            }
        }
        else if (!choice.FromTlb)
        {
            state.Write(LeafAddress(cpu.Index, asid, page), TranslationSet.Of(choice.Value));
        }
    }

    internal override void FlushPage(MachineState state, Cpu cpu, int asid, int page, WalkCacheScope scope)
    {
        state.Write(LeafAddress(cpu.Index, asid, page), 0);
        for (int level = 1; level < Paging.Levels; level++)
        {
            int first = Paging.BaseOf(page, level);
            for (int other = first; other < first + Paging.SpanOf(level); other++)
            {
                int address = LeafAddress(cpu.Index, asid, other);
                if (new Translation((ushort)state.Read(address)).Huge)
                {
                    state.Write(address, 0);
                }
            }

            for (int start = 0; start < Paging.PageCount && HasWalkCaches; start += Paging.SpanOf(level))
            {
                if (IsInScope(scope, level, start, page))
                {
                    state.Write(UpperAddress(cpu.Index, asid, level, start), 0);
                }
            }
        }
    }

    internal override void LoadRoot(MachineState state, Cpu cpu, int root, int asid, bool keep)
    {
        state.Write(cpu.RootAddress, (ulong)root);
        state.Write(cpu.AsidAddress, (ulong)asid);
        if (!keep)
        {
            FlushAsid(state, cpu, asid);
        }
    }

    internal override void AddAgents()
    {
        foreach (Cpu cpu in Paging.Machine.Cpus)
        {
            Paging.Machine.AddAgent("TLB", AgentKind.Hardware, cpu, true, () => MoveForEver(cpu));
        }

        foreach (Device device in Paging.Machine.Devices)
        {
            Paging.Machine.AddAgent("IOTLB", AgentKind.Hardware, null, true, () => MoveForEver(device.Iommu));
            Paging.Machine.AddAgent("device TLB", AgentKind.Hardware, null, true, () => FillAtcForEver(device));
        }
    }

    [KernelName]
    private async Proc MoveForEver(Cpu cpu)
    {
        while (true)
        {
            await new Op(new MoveOperation(this, cpu));
        }
    }

    /// <summary>The walk that hardware makes: it starts at the deepest cached upper entry at or above a level.</summary>
    private AccessChoice Walk(MachineState state, Cpu cpu, int asid, int page, bool write, int fromLevel)
    {
        for (int level = fromLevel + 1; level < Paging.Levels && HasWalkCaches; level++)
        {
            ulong cached = state.Read(UpperAddress(cpu.Index, asid, level, page));
            if (cached != 0)
            {
                var table = new Translation((ushort)cached);
                return WalkFrom(state, cpu, table.Frame, level - 1, page, write, level, table);
            }
        }

        AddressSpace space = Paging.Spaces[(int)state.Read(cpu.RootAddress) - 1];
        return WalkFrom(state, cpu, space.RootTable, Paging.Levels - 1, page, write, 0, default);
    }

    /// <summary>The upper entry of a level that a walk for the page would read now, none if it does not get there.</summary>
    private Translation UpperEntry(MachineState state, Cpu cpu, int asid, int level, int page)
    {
        int table = Paging.Spaces[(int)state.Read(cpu.RootAddress) - 1].RootTable;
        int at = Paging.Levels - 1;
        for (int cachedLevel = level + 1; cachedLevel < Paging.Levels; cachedLevel++)
        {
            ulong cached = state.Read(UpperAddress(cpu.Index, asid, cachedLevel, page));
            if (cached != 0)
            {
                table = new Translation((ushort)cached).Frame;
                at = cachedLevel - 1;
                break;
            }
        }

        while (true)
        {
            var entry = new Pte(state.Read(Paging.EntryAddress(table, at, page)));
            if (!entry.Present || entry.Huge)
            {
                return default;
            }

            if (at == level)
            {
                return Translation.OfTable(entry.Frame);
            }

            table = entry.Frame;
            at--;
        }
    }

    /// <summary>The hardware fills or evicts one entry: one alternative a possible move.</summary>
    private sealed class MoveOperation(ExplicitTlb tlb, Cpu cpu) : Operation
    {
        public override string Text => "[ TLB fill or evict ]";

        public override int Alternatives(MachineState state) => Move(state, -1);

        public override long Execute(MachineState state, int alternative)
        {
            Move(state, alternative);
            return 0;
        }

        public override void AddFootprint(Footprint footprint)
        {
            tlb.AddRewriteFootprint(footprint, cpu);
        }

        /// <summary>Counts the possible moves, and makes the one with the given number.</summary>
        private int Move(MachineState state, int wanted)
        {
            int count = 0;
            bool loaded = state.Read(cpu.RootAddress) != 0;
            int current = (int)state.Read(cpu.AsidAddress);
            for (int asid = 0; asid < tlb.Asids; asid++)
            {
                bool canFill = loaded && asid == current;
                for (int page = 0; page < tlb.Paging.PageCount; page++)
                {
                    int leaf = tlb.LeafAddress(cpu.Index, asid, page);
                    Translation next = state.Read(leaf) != 0 || !canFill ? default : tlb.Walk(state, cpu, asid, page, false, 0).Value;
                    count = Consider(state, leaf, next, count, wanted);
                }

                for (int level = 1; level < tlb.Paging.Levels && tlb.HasWalkCaches; level++)
                {
                    for (int page = 0; page < tlb.Paging.PageCount; page += tlb.Paging.SpanOf(level))
                    {
                        int upper = tlb.UpperAddress(cpu.Index, asid, level, page);
                        Translation next = state.Read(upper) != 0 || !canFill ? default : tlb.UpperEntry(state, cpu, asid, level, page);
                        count = Consider(state, upper, next, count, wanted);
                    }
                }
            }

            return count;
        }

        private static int Consider(MachineState state, int address, Translation next, int count, int wanted)
        {
            if (state.Read(address) == next.Bits)
            {
                return count;
            }

            if (count == wanted)
            {
                state.Write(address, TranslationSet.Of(next));
            }

            return count + 1;
        }
    }
}
