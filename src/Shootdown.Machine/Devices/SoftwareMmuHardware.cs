namespace Shootdown.Machine;

/// <summary>All users load from all pages that they can reach; what they reach is judged, and nothing changes.</summary>
internal sealed class BusyUsersOperation(SoftwareMmu mmu) : Operation
{
    public override string Text => "load";

    public override StepWeight Weight => StepWeight.Key;

    public override bool IsObservation => true;

    public override long Execute(MachineState state, int alternative)
    {
        StepRecord? record = state.Record;
        for (int i = 0; i < mmu.Users * mmu.Machine.Paging.PageCount && state.Violation is null; i++)
        {
            Judge(state, record, i % mmu.Users, i / mmu.Users);
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        for (int page = 0; page < mmu.Machine.Paging.PageCount; page++)
        {
            new SecondaryRules(mmu, null, 0, page).AddFootprint(footprint, false);
        }
    }

    /// <summary>A replay tells only of the load that violates.</summary>
    private void Judge(MachineState state, StepRecord? record, int user, int page)
    {
        var rules = new SecondaryRules(mmu, null, user, page);
        Span<SecondaryChoice> choices = stackalloc SecondaryChoice[SecondaryRules.ChoicesMax];
        int count = rules.Choices(state, false, choices);
        for (int i = 0; i < count && state.Violation is null; i++)
        {
            if (choices[i].Value.IsNone)
            {
                continue;
            }

            state.Record = null;
            rules.Report(state, choices[i], false);
            state.Record = record;
            if (record is not null && state.Violation is not null)
            {
                state.Violation = null;
                record.Text = $"load {Paging.AddressText(page)}";
                rules.Report(state, choices[i], false);
            }
        }
    }
}

/// <summary>The explicit TLB of a user fills from the table or evicts: one alternative a possible move.</summary>
internal sealed class SecondaryTlbOperation(SoftwareMmu mmu) : Operation
{
    private readonly int _words = mmu.Users * mmu.Machine.Paging.PageCount;

    public override string Text => "[ TLB fill or evict ]";

    public override int Alternatives(MachineState state)
    {
        int count = 0;
        for (int i = 0; i < _words; i++)
        {
            count += Moved(state, i) != state.Read(Address(i)) ? 1 : 0;
        }

        return count;
    }

    public override long Execute(MachineState state, int alternative)
    {
        for (int i = 0; i < _words; i++)
        {
            ulong moved = Moved(state, i);
            if (moved != state.Read(Address(i)) && alternative-- == 0)
            {
                state.Write(Address(i), moved);
                break;
            }
        }

        return 0;
    }

    public override void AddFootprint(Footprint footprint)
    {
        for (int page = 0; page < mmu.Machine.Paging.PageCount; page++)
        {
            mmu.AddEntryChangeFootprint(footprint, page);
        }
    }

    private int Address(int index) => mmu.TlbAddress(index % mmu.Users, index / mmu.Users);

    private ulong Moved(MachineState state, int index) => state.Read(Address(index)) != 0 ? 0UL : mmu.SpteOf(state, index / mmu.Users).Bits;
}
