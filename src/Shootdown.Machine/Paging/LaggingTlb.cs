namespace Shootdown.Machine;

/// <summary>
/// A TLB that lags. A CPU whose root is loaded may hold the current value of any reachable entry (nothing is stored for
/// that) or any older value since the last invalidation that covered it (stored in the set). There are no
/// fill and evict steps: an access chooses one of the values and forgets the others, because a CPU that used one translation
/// cannot hold another one of the same page; a flush forgets all.
/// </summary>
/// <remarks>
/// When a value stops being current (an entry changes, an upper entry is unhooked, another root is loaded) it is added
/// to the set of every CPU that could have cached it. A change that only sets the dirty bit adds nothing: whatever a
/// clean cached entry allows, the dirty one allows too, and a store through the clean one walks again. An access whose
/// value the program ignores need not forget anything: every run in which it is followed by a use of an old
/// translation is also a run without it. Random programs compare all this with <see cref="ExplicitTlb"/>.
/// </remarks>
internal sealed partial class LaggingTlb(Paging paging) : TlbModel(paging)
{
    internal override bool TouchKeepsContents => true;

    internal override void BeforeEntryChange(MachineState state, in EntryChange change)
    {
        bool isTable = change.Level > 0 && change.Old.Present && !change.Old.Huge;
        Translation old = Translation.Of(change.Old);
        Translation now = Translation.Of(change.New);
        if (!change.Old.Present || (!isTable && (now.Bits == old.Bits || now.Bits == (old.Bits | Translation.DirtyBit))))
        {
            return;
        }

        foreach (Cpu cpu in Paging.Machine.Translators)
        {
            if (state.Read(cpu.RootAddress) != (ulong)change.Space.Index + 1)
            {
                continue;
            }

            int asid = (int)state.Read(cpu.AsidAddress);
            if (!Reaches(state, cpu, asid, change.Space.RootTable, change))
            {
                continue;
            }

            if (isTable)
            {
                Remember(state, UpperAddressOrNone(cpu.Index, asid, change.Level, change.Page), Translation.OfTable(change.Old.Frame));
                RememberBelow(state, cpu, asid, change.Old.Frame, change.Level - 1, change.Page, -1);
            }
            else
            {
                for (int offset = 0; offset < Paging.SpanOf(change.Level); offset++)
                {
                    Remember(state, LeafAddress(cpu.Index, asid, change.Page + offset), Translation.Of(change.Old, offset));
                }
            }
        }
    }

    internal override void AfterEntryChange(MachineState state, in EntryChange change)
    {
        if (!change.New.Present)
        {
            return;
        }

        bool isTable = change.Level > 0 && !change.New.Huge;
        foreach (Cpu cpu in Paging.Machine.Translators)
        {
            int loadedAsid = state.Read(cpu.RootAddress) == (ulong)change.Space.Index + 1 ? (int)state.Read(cpu.AsidAddress) : -1;
            for (int asid = 0; asid < Asids; asid++)
            {
                for (int offset = 0; offset < (isTable ? 1 : Paging.SpanOf(change.Level)); offset++)
                {
                    int address = isTable
                        ? UpperAddressOrNone(cpu.Index, asid, change.Level, change.Page)
                        : LeafAddress(cpu.Index, asid, change.Page + offset);
                    Translation now = isTable ? Translation.OfTable(change.New.Frame) : Translation.Of(change.New, offset);
                    if (address < 0 || state.Read(address) == 0)
                    {
                        continue;
                    }

                    ulong set = Revive(state.Read(address), now.Frame);
                    bool isCurrent = asid == loadedAsid && Reaches(state, cpu, asid, change.Space.RootTable, change);
                    state.Write(address, isCurrent ? TranslationSet.Remove(set, now) : set);
                }
            }
        }
    }

    internal override int Choices(MachineState state, Cpu cpu, int page, bool write, Span<AccessChoice> choices)
    {
        int asid = (int)state.Read(cpu.AsidAddress);
        AddressSpace space = Paging.Spaces[(int)state.Read(cpu.RootAddress) - 1];
        int count = 0;
        choices[count++] = WalkFrom(state, cpu, space.RootTable, Paging.Levels - 1, page, write, 0, default);
        for (int level = 1; level < Paging.Levels && HasWalkCaches; level++)
        {
            for (ulong rest = state.Read(UpperAddress(cpu.Index, asid, level, page)); rest != 0; rest >>= 16)
            {
                var cached = new Translation((ushort)rest);
                choices[count++] = WalkFrom(state, cpu, cached.Frame, level - 1, page, write, level, cached);
            }
        }

        for (ulong rest = state.Read(LeafAddress(cpu.Index, asid, page)); rest != 0; rest >>= 16)
        {
            var value = new Translation((ushort)rest);
            if (write && value.Write && !value.DirtyKnown)
            {
                // The first store through a clean entry walks again: the walks above are what it can find.
                continue;
            }

            bool faults = write && !value.Write;
            choices[count++] = new AccessChoice(faults ? default : value, faults, true, -1, 0, default, -1);
        }

        return count;
    }

    internal override void Choose(MachineState state, Cpu cpu, int page, in AccessChoice choice)
    {
        int asid = (int)state.Read(cpu.AsidAddress);
        int leaf = LeafAddress(cpu.Index, asid, page);
        if (choice.FromTlb && !choice.Faults)
        {
            state.Write(leaf, TranslationSet.Of(choice.Value));
            return;
        }

        bool fromRoot = choice.CachedLevel == 0;
        state.Write(leaf, 0);

        // From the top: what was reachable through a table that is dropped is added to the sets below it.
        for (int level = Paging.Levels - 1; level > 0 && HasWalkCaches; level--)
        {
            int upper = UpperAddress(cpu.Index, asid, level, page);
            ulong keep = !choice.Faults && !fromRoot && level == choice.CachedLevel ? TranslationSet.Of(choice.CachedTable)
                : !choice.Faults && !fromRoot && level > choice.CachedLevel ? state.Read(upper)
                : 0;
            ForgetTables(state, cpu, asid, level, page, keep, page);
        }

        if (!choice.Faults && !fromRoot)
        {
            AddressSpace space = Paging.Spaces[(int)state.Read(cpu.RootAddress) - 1];
            AccessChoice current = WalkFrom(state, cpu, space.RootTable, Paging.Levels - 1, page, false, 0, default);
            if (current.Value != choice.Value)
            {
                state.Write(leaf, TranslationSet.Of(choice.Value));
            }
        }
    }

    internal override void FlushPage(MachineState state, Cpu cpu, int asid, int page, WalkCacheScope scope)
    {
        for (int level = Paging.Levels - 1; level > 0 && HasWalkCaches; level--)
        {
            for (int first = 0; first < Paging.PageCount; first += Paging.SpanOf(level))
            {
                if (IsInScope(scope, level, first, page))
                {
                    ForgetTables(state, cpu, asid, level, first, 0, -1);
                }
            }
        }

        state.Write(LeafAddress(cpu.Index, asid, page), 0);
        for (int level = 1; level < Paging.Levels; level++)
        {
            int first = Paging.BaseOf(page, level);
            for (int other = first; other < first + Paging.SpanOf(level); other++)
            {
                int address = LeafAddress(cpu.Index, asid, other);
                for (ulong rest = state.Read(address); rest != 0; rest >>= 16)
                {
                    if (new Translation((ushort)rest).Huge)
                    {
                        state.Write(address, TranslationSet.Remove(state.Read(address), new Translation((ushort)rest)));
                    }
                }
            }
        }
    }

    internal override void LoadRoot(MachineState state, Cpu cpu, int root, int asid, bool keep)
    {
        int oldRoot = (int)state.Read(cpu.RootAddress);
        int oldAsid = (int)state.Read(cpu.AsidAddress);
        if (oldRoot != 0)
        {
            for (int level = 1; level < Paging.Levels && HasWalkCaches; level++)
            {
                for (int first = 0; first < Paging.PageCount; first += Paging.SpanOf(level))
                {
                    RememberThroughTables(state, cpu, oldAsid, level, first, 0, -1);
                }
            }

            RememberBelow(state, cpu, oldAsid, Paging.Spaces[oldRoot - 1].RootTable, Paging.Levels - 1, 0, -1);
        }

        state.Write(cpu.RootAddress, (ulong)root);
        state.Write(cpu.AsidAddress, (ulong)asid);
        if (!keep)
        {
            FlushAsid(state, cpu, asid);
        }
        else if (root != 0)
        {
            ForgetBelow(state, cpu, asid, Paging.Spaces[root - 1].RootTable, Paging.Levels - 1, 0);
        }
    }
}
