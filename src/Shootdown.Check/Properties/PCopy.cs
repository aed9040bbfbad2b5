using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-copy: when a page is replaced by a copy of itself (copy-on-write, migration), no store of the process is left behind in the
/// original: none that is made after the copy was taken and before the copy is mapped, and none through a stale translation later. No load
/// finds the original once the copy has been stored to. A frame that is mapped already is not filled.
/// </summary>
/// <remarks>
/// A word for every frame that is a copy: its source (bits 0 to 15), the places (address space and page) from which the source was stored
/// to since (16 to 39), and those where the copy is mapped (40 to 63). A store of another process that shares the
/// source is none of the copy's business, so places are told apart. Another word for every frame: the places from which it was stored to, as a copy, since
/// it was mapped there.
/// </remarks>
/// <param name="everyStore">
/// True to take into account every store of the process to the place before the copy is mapped there, to whatever page: another copy may have
/// been mapped meanwhile. Costs states.
/// </param>
public sealed class PCopy(bool everyStore = false) : Property
{
    private const int PlacesMax = 24;
    private const int StoredShift = 16;
    private const int MappedShift = StoredShift + PlacesMax;
    private MachineModel _machine = null!;
    private int _copies;
    private int _written;

    /// <inheritdoc/>
    public override string Id => "P-copy";

    /// <inheritdoc/>
    public override string JudgementText => "copies that are mapped in place of the original";

    /// <inheritdoc/>
    public override void OnFrameCopied(MachineState state, Cpu cpu, int from, int to)
    {
        OnFramesEqual(state, cpu, from, to);
        foreach (AddressSpace space in _machine.Paging.Spaces)
        {
            for (int page = to % _machine.Options.FrameColours; page < _machine.Paging.PageCount; page += _machine.Options.FrameColours)
            {
                if (TlbInspector.IsMapped(state, space, page, to))
                {
                    Report(state, $"Frame {from} is copied to frame {to}, which {Paging.AddressText(page)} maps already: loads may see what was there "
                        + "before, and the copy overwrites stores.");
                }
            }
        }
    }

    /// <summary>KSM has compared: one may take the place of the other as its copy may, but nothing was filled.</summary>
    public override void OnFramesEqual(MachineState state, Cpu cpu, int from, int to) => state.Write(_copies + to, (ulong)from + 1);

    /// <inheritdoc/>
    public override void OnAccess(MachineState state, in AccessEvent access)
    {
        int place = PlaceOf(access.Space, access.Page);
        if (place >= 0 && access.IsWrite)
        {
            OnStore(state, access, place);
        }
        else if (place >= 0)
        {
            JudgeLoad(state, access, place);
        }
    }

    private void OnStore(MachineState state, in AccessEvent access, int place)
    {
        NoteWritten(state, access.Translation.Frame, place);
        for (int copy = 0; copy < _machine.Paging.Frames.Count; copy++)
        {
            ulong word = state.Read(_copies + copy);
            bool toSource = (word & ushort.MaxValue) == (ulong)access.Translation.Frame + 1;
            bool waits = everyStore && word != 0 && copy != access.Translation.Frame && (word >> (MappedShift + place) & 1) == 0;
            if (toSource || waits)
            {
                state.Write(_copies + copy, word | (1UL << (StoredShift + place)));
                JudgeCopy(state, access.Page, copy, place);
            }
        }
    }

    /// <summary>As long as the original is there, and the copy in its place.</summary>
    private void NoteWritten(MachineState state, int copy, int place)
    {
        ulong word = copy < _machine.Paging.Frames.Count ? state.Read(_copies + copy) : 0;
        if ((word & ushort.MaxValue) is not 0 and not ushort.MaxValue && (word >> (MappedShift + place) & 1) != 0)
        {
            state.Write(_written + copy, state.Read(_written + copy) | (1UL << place));
        }
    }

    /// <summary>A thread loads from the original what another one has stored to the copy.</summary>
    private void JudgeLoad(MachineState state, in AccessEvent access, int place)
    {
        for (int copy = 0; access.IsStale && copy < _machine.Paging.Frames.Count; copy++)
        {
            if ((state.Read(_copies + copy) & ushort.MaxValue) == (ulong)access.Translation.Frame + 1
                && (state.Read(_written + copy) >> place & 1) != 0)
            {
                Report(state, $"{access.Who} loads {Paging.AddressText(access.Page)} from frame {access.Translation.Frame} after a store of the process went to "
                    + $"its copy, frame {copy}: threads see different contents.");
            }
        }
    }

    /// <inheritdoc/>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        int place = PlaceOf(space, page);
        if (place < 0)
        {
            return;
        }

        if (old.Present && IsCopy(state, old.Frame))
        {
            state.Write(_copies + old.Frame, state.Read(_copies + old.Frame) & ~(1UL << (MappedShift + place)));
            state.Write(_written + old.Frame, state.Read(_written + old.Frame) & ~(1UL << place));
        }

        if (value.Present && IsCopy(state, value.Frame))
        {
            Judge(state);
            state.Write(_copies + value.Frame, state.Read(_copies + value.Frame) | (1UL << (MappedShift + place)));
            JudgeCopy(state, page, value.Frame, place);
        }
    }

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame)
    {
        for (int copy = 0; copy < _machine.Paging.Frames.Count; copy++)
        {
            ulong word = state.Read(_copies + copy);
            if (copy == frame || (word & ushort.MaxValue) == (ulong)frame + 1)
            {
                // The original may go before the copy is mapped (collapse): stores that it took with it are not forgotten.
                ulong lost = (word >> StoredShift) & ~(word >> MappedShift) & ((1UL << PlacesMax) - 1);
                state.Write(_copies + copy, copy == frame || lost == 0 ? 0 : (word & ~(ulong)ushort.MaxValue) | ushort.MaxValue);
                state.Write(_written + copy, 0);
            }
        }
    }

    /// <inheritdoc/>
    public override void AddAccessFootprint(Footprint footprint, AddressSpace? space, int page) => AddFootprint(footprint);

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page) => AddFootprint(footprint);

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame)
    {
        footprint.WriteRange(_copies, _machine.Paging.Frames.Count);
        footprint.WriteRange(_written, _machine.Paging.Frames.Count);
    }

    /// <inheritdoc/>
    public override void AddCopyFootprint(Footprint footprint, int from, int to)
    {
        footprint.Write(_copies + to);
        for (int page = to % _machine.Options.FrameColours; page < _machine.Paging.PageCount; page += _machine.Options.FrameColours)
        {
            TlbInspector.AddLeafFootprint(footprint, _machine, page);
        }
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        _copies = machine.AllocateRange("p_copy.copies", WordKind.Hardware, machine.Paging.Frames.Count);
        _written = machine.AllocateRange("p_copy.written", WordKind.Hardware, machine.Paging.Frames.Count);
    }

    private bool IsCopy(MachineState state, int frame) => frame < _machine.Paging.Frames.Count && state.Read(_copies + frame) != 0;

    private void JudgeCopy(MachineState state, int page, int copy, int place)
    {
        ulong word = state.Read(_copies + copy);
        if ((word >> (StoredShift + place) & word >> (MappedShift + place) & 1) != 0)
        {
            if (everyStore)
            {
                Report(state, $"A store to {Paging.AddressText(page)} was made after the page was copied to frame {copy}, which is mapped now "
                    + "and does not have it: the store is lost.");
                return;
            }

            string original = (word & ushort.MaxValue) == ushort.MaxValue ? "the original" : $"frame {(word & ushort.MaxValue) - 1}";
            Report(state, $"A store to {Paging.AddressText(page)} went to {original} after it was copied to frame {copy}, "
                + "which is mapped instead: the store is lost.");
        }
    }

    /// <summary>Any frame: entries may be set to one of another colour (mremap).</summary>
    private void AddFootprint(Footprint footprint)
    {
        footprint.WriteRange(_copies, _machine.Paging.Frames.Count);
        footprint.WriteRange(_written, _machine.Paging.Frames.Count);
    }

    /// <summary>Number of a place; -1 if the machine has more than fit, which are not judged.</summary>
    private int PlaceOf(AddressSpace space, int page)
    {
        int place = (space.Index * _machine.Paging.PageCount) + page;
        return place < PlacesMax ? place : -1;
    }
}
