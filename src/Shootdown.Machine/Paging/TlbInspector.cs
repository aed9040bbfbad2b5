namespace Shootdown.Machine;

/// <summary>
/// What properties may know of the TLBs: which translations of a page can be in use or cached anywhere, and small sets
/// of translations packed in a word.
/// </summary>
public static class TlbInspector
{
    /// <summary>Every translation of a page that some CPU may use or hold: old values, and the current one where the root is loaded.</summary>
    public static IEnumerable<Translation> Possible(MachineState state, AddressSpace space, int page)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(space);
        Paging paging = state.Machine.Paging;
        Translation current = Translation.Of(CurrentLeaf(state, space, page));
        if (!current.IsNone)
        {
            yield return current;
        }

        foreach (Cpu cpu in state.Machine.Translators)
        {
            for (int asid = 0; asid < state.Machine.Options.Asids; asid++)
            {
                foreach (Translation value in Members(paging.Tlb.LeafSet(state, cpu.Index, asid, page)))
                {
                    yield return value;
                }
            }
        }

        foreach ((SoftwareMmu _, Translation value) in HeldBySecondaries(state, space, page))
        {
            yield return value;
        }
    }

    /// <summary>What secondary MMUs with tables of their own may reach a page of the space through.</summary>
    public static IEnumerable<(SoftwareMmu Mmu, Translation Value)> HeldBySecondaries(MachineState state, AddressSpace space, int page)
    {
        ArgumentNullException.ThrowIfNull(state);
        foreach (SoftwareMmu mmu in state.Machine.SoftwareMmus)
        {
            foreach (Translation value in mmu.Space == space ? mmu.Held(state, page) : [])
            {
                yield return (mmu, value);
            }
        }
    }

    /// <summary>The old translations of a page that a CPU may still use under the root it has loaded; none if that is another space.</summary>
    public static IEnumerable<Translation> Usable(MachineState state, Cpu cpu, AddressSpace space, int page)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(cpu);
        ArgumentNullException.ThrowIfNull(space);
        bool loaded = state.Read(cpu.RootAddress) == (ulong)space.Index + 1 || cpu.Device?.HoldsOf(cpu, space) == true;
        return loaded ? Members(state.Machine.Paging.Tlb.LeafSet(state, cpu.Index, (int)state.Read(cpu.AsidAddress), page)) : [];
    }

    /// <summary>
    /// True if the walker of a CPU may still start from a cached pointer to the table, under the root that is loaded. Lazy or not:
    /// walkers run ahead by themselves.
    /// </summary>
    public static bool MayWalk(MachineState state, Cpu cpu, int table)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(cpu);
        TlbModel tlb = state.Machine.Paging.Tlb;
        return state.Read(cpu.RootAddress) != 0
            && tlb.UpperSets(cpu.Index, (int)state.Read(cpu.AsidAddress)).Any(address
                => Members(state.Read(address)).Any(cached => cached.Frame == table));
    }

    /// <summary>The words that <see cref="MayWalk"/> reads.</summary>
    public static void AddWalkFootprint(Footprint footprint, MachineModel machine)
    {
        ArgumentNullException.ThrowIfNull(footprint);
        ArgumentNullException.ThrowIfNull(machine);
        foreach (Cpu cpu in machine.Translators)
        {
            footprint.Read(cpu.RootAddress);
            footprint.Read(cpu.AsidAddress);
            for (int asid = 0; asid < machine.Options.Asids; asid++)
            {
                foreach (int address in machine.Paging.Tlb.UpperSets(cpu.Index, asid))
                {
                    footprint.Read(address);
                }
            }
        }
    }

    /// <summary>True if the tables map the frame at the page now.</summary>
    public static bool IsMapped(MachineState state, AddressSpace space, int page, int frame)
    {
        Pte leaf = CurrentLeaf(state, space, page);
        return leaf.Present && leaf.Frame == frame;
    }

    /// <summary>True if an access of the CPU to the page need not fault: the loaded root maps it, or the TLB may hold an old translation.</summary>
    public static bool MayHit(MachineState state, Cpu cpu, int page)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(cpu);
        int root = (int)state.Read(cpu.RootAddress);
        Paging paging = state.Machine.Paging;
        return root != 0 && (paging.Tlb.LeafSet(state, cpu.Index, (int)state.Read(cpu.AsidAddress), page) != 0
            || CurrentLeaf(state, paging.Spaces[root - 1], page).Present);
    }

    /// <summary>The words that <see cref="CurrentLeaf"/> reads.</summary>
    public static void AddLeafFootprint(Footprint footprint, MachineModel machine, int page)
    {
        ArgumentNullException.ThrowIfNull(footprint);
        ArgumentNullException.ThrowIfNull(machine);
        machine.Paging.AddWalkFootprint(footprint, page);
    }

    /// <summary>The words that <see cref="Possible"/>, <see cref="Usable"/> and <see cref="HeldBySecondaries"/> read.</summary>
    public static void AddFootprint(Footprint footprint, MachineModel machine, int page)
    {
        ArgumentNullException.ThrowIfNull(footprint);
        ArgumentNullException.ThrowIfNull(machine);
        machine.Paging.AddWalkFootprint(footprint, page);
        foreach (SoftwareMmu mmu in machine.SoftwareMmus)
        {
            mmu.AddReadFootprint(footprint, page);
        }

        foreach (Cpu cpu in machine.Translators)
        {
            footprint.Read(cpu.RootAddress);
            footprint.Read(cpu.AsidAddress);
            for (int asid = 0; asid < machine.Options.Asids; asid++)
            {
                footprint.Read(machine.Paging.Tlb.LeafAddress(cpu.Index, asid, page));
            }
        }
    }

    /// <summary>True if the allocator has handed the frame out, whether or not anybody has a reference.</summary>
    public static bool IsAllocated(MachineState state, int frame)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.Read(state.Machine.Paging.FrameLifeAddress(frame)) != 0;
    }

    /// <summary>The word that <see cref="IsAllocated"/> reads.</summary>
    public static void AddAllocatedFootprint(Footprint footprint, MachineModel machine, int frame)
    {
        ArgumentNullException.ThrowIfNull(footprint);
        ArgumentNullException.ThrowIfNull(machine);
        footprint.Read(machine.Paging.FrameLifeAddress(frame));
    }

    /// <summary>Drops a page, or everything (page -1), from what a CPU holds under its current ASID; for atomic handlers.</summary>
    public static void Flush(MachineState state, Cpu cpu, int page)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(cpu);
        TlbModel tlb = cpu.Machine.Paging.Tlb;
        state.Record?.Note(page >= 0 ? $"[ INVLPG {Paging.AddressText(page)} ]" : "[ full TLB flush ]");
        if (page >= 0)
        {
            tlb.FlushPage(state, cpu, (int)state.Read(cpu.AsidAddress), page, WalkCacheScope.All);
        }
        else
        {
            tlb.FlushAsid(state, cpu, (int)state.Read(cpu.AsidAddress));
        }
    }

    /// <summary>The words that any <see cref="Flush"/> of a CPU touches.</summary>
    public static void AddFlushFootprint(Footprint footprint, Cpu cpu)
    {
        ArgumentNullException.ThrowIfNull(cpu);
        for (int page = 0; page < cpu.Machine.Paging.PageCount; page++)
        {
            cpu.Machine.Paging.Tlb.AddPageFlushFootprint(footprint, cpu, page);
        }

        cpu.Machine.Paging.Tlb.AddFlushFootprint(footprint, cpu);
    }

    /// <summary>A translation's frame and rights, without what hardware learned (dirty, dangling).</summary>
    public static Translation Plain(Translation value)
        => new((ushort)(value.Bits & ~(Translation.DirtyBit | Translation.DanglingBit)));

    /// <summary>A member for sets of properties that no <see cref="Plain"/> translation equals.</summary>
    public static Translation NoTranslation(int frame)
        => new((ushort)(Translation.ValidBit | Translation.DanglingBit | Translation.DirtyBit | frame));

    /// <summary>A set with a translation added.</summary>
    public static ulong Add(ulong set, Translation value) => TranslationSet.Add(set, value);

    /// <summary>A set without a translation.</summary>
    public static ulong Remove(ulong set, Translation value) => TranslationSet.Remove(set, value);

    /// <summary>True if a set has a translation.</summary>
    public static bool Contains(ulong set, Translation value) => TranslationSet.Contains(set, value);

    /// <summary>The members of a set.</summary>
    public static IEnumerable<Translation> Members(ulong set)
    {
        for (ulong rest = set; rest != 0; rest >>= 16)
        {
            yield return new Translation((ushort)rest);
        }
    }

    /// <summary>The leaf entry that a walk from the root finds in memory; huge entries give the small page's frame.</summary>
    public static Pte CurrentLeaf(MachineState state, AddressSpace space, int page)
    {
        Paging paging = state.Machine.Paging;
        return paging.LeafBelow(state, space.RootTable, paging.Levels - 1, page);
    }
}
