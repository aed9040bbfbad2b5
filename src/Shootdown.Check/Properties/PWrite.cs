using Shootdown.Machine;

namespace Shootdown.Check;

/// <summary>
/// P-write: no store is lost. A frame that reclaim gives up must hold nothing that was stored after its contents were last
/// written to their backing store; discarding (munmap, MADV_DONTNEED) is no loss. A page of a file that was stored to must
/// be known to be dirty when all programs have ended: by its flag or by an entry that maps it. In between the knowledge
/// may be on its way. What MADV_FREE gave up may be thrown away unless it was stored to since the call returned.
/// </summary>
/// <remarks>
/// While a call of MADV_FREE is under way, no anonymous page that is given up is judged: a store beside the call may be lost or kept. When it
/// returns, all that was stored in its range is forgotten, in every frame that can hold a page of it. Where there is such a call, the knowledge
/// goes with the contents when they are copied (migration).
/// </remarks>
/// <param name="pageCache">The words of the page cache, each frame + 1 or 0.</param>
public sealed class PWrite(params IReadOnlyList<Word> pageCache) : Property
{
    private const ulong Swapped = 1UL << 63;

    private MachineModel _machine = null!;
    private int _modified;
    private int _places;
    private int _givingUp;
    private bool _givesUp;

    /// <summary>
    /// True if reclaim may give up anonymous memory that somebody else unmapped: munmap takes the entry away between reclaim's looking at
    /// the page and its unmapping it. Such contents are lost only if a swap entry refers to them. Otherwise whatever reclaim gives up counts.
    /// </summary>
    public bool ReclaimMeetsDiscarded { get; init; }

    /// <summary>
    /// Where the page cache may hold huge folios: a word a frame with the first frame, + 1, of the folio that it is part of, or 0. The first frame's flag is
    /// that of all, and the knowledge goes with the contents when they are copied.
    /// </summary>
    public IReadOnlyList<Word> Folios { get; init; } = [];

    /// <inheritdoc/>
    public override string Id => "P-write";

    /// <inheritdoc/>
    public override string JudgementText
        => pageCache.Count == 0 ? "frames given up by reclaim" : "frames given up by reclaim, and pages of files at the end";

    /// <inheritdoc/>
    public override void OnAccess(MachineState state, in AccessEvent access)
    {
        if (access.IsWrite)
        {
            state.Write(_modified + access.Translation.Frame, 1);
            if (state.Record is { } record && IsCached(state, access.Translation.Frame)
                && !IsKnownDirty(state, access.Translation.Frame))
            {
                record.Decide();
            }
        }
    }

    /// <inheritdoc/>
    public override void OnDeviceAccess(MachineState state, in DeviceAccess access)
    {
        if (access.IsWrite)
        {
            state.Write(_modified + access.Frame, 1);
        }
    }

    /// <inheritdoc/>
    public override void AddDeviceFootprint(Footprint footprint, int frame) => footprint.Write(_modified + frame);

    /// <inheritdoc/>
    public override void OnPromiseBegins(MachineState state, Promise promise)
    {
        if (promise.Kind == PromiseKind.ContentsGivenUp)
        {
            state.Write(_givingUp, state.Read(_givingUp) + 1);
        }
    }

    /// <inheritdoc/>
    public override void OnPromiseReturns(MachineState state, Promise promise)
    {
        if (promise.Kind != PromiseKind.ContentsGivenUp)
        {
            return;
        }

        state.Write(_givingUp, state.Read(_givingUp) - 1);
        for (int frame = 0; frame < _machine.Paging.Frames.Count; frame++)
        {
            if (!IsCached(state, frame) && MayHold(promise, frame))
            {
                state.Write(_modified + frame, 0);
            }
        }
    }

    /// <inheritdoc/>
    public override void AddPromiseFootprint(Footprint footprint, Promise promise)
    {
        if (promise.Kind == PromiseKind.ContentsGivenUp)
        {
            footprint.Write(_givingUp);
            footprint.WriteRange(_modified, _machine.Paging.Frames.Count);
            footprint.ReadAll([.. pageCache.Select(page => page.Address)]);
        }
    }

    /// <inheritdoc/>
    public override void OnFrameCopied(MachineState state, Cpu cpu, int from, int to)
    {
        if (_givesUp || Folios.Count > 0)
        {
            state.Write(_modified + to, state.Read(_modified + from));
        }
    }

    /// <inheritdoc/>
    public override void AddCopyFootprint(Footprint footprint, int from, int to)
    {
        if (_givesUp || Folios.Count > 0)
        {
            footprint.Read(_modified + from);
            footprint.Write(_modified + to);
        }
    }

    /// <inheritdoc/>
    public override void OnFinal(MachineState state)
    {
        foreach (Word page in pageCache)
        {
            int frame = (int)state.Read(page.Address) - 1;
            if (frame < 0)
            {
                continue;
            }

            Judge(state);
            if (state.Read(_modified + frame) != 0 && !IsKnownDirty(state, frame))
            {
                Report(state, $"Frame {frame} ({page.Name}) holds a store that was made after its contents were written out, "
                    + "but the page is clean and no entry is dirty: the store will be lost.");
            }
        }
    }

    /// <inheritdoc/>
    public override void OnFrameWritten(MachineState state, Cpu cpu, int frame) => state.Write(_modified + frame, 0);

    /// <inheritdoc/>
    public override void OnFrameSaved(MachineState state, Cpu cpu, int frame)
    {
        if ((_givesUp && state.Read(_givingUp) != 0) || (ReclaimMeetsDiscarded && (state.Read(_places + frame) & Swapped) == 0))
        {
            return;
        }

        Judge(state);
        if (state.Read(_modified + frame) != 0)
        {
            Report(state, $"Frame {frame} is freed with a store that was made after its contents were written out: the store is lost.");
        }
    }

    /// <inheritdoc/>
    public override void OnFrameFreed(MachineState state, Cpu cpu, int frame)
    {
        state.Write(_modified + frame, 0);
        if (ReclaimMeetsDiscarded)
        {
            state.Write(_places + frame, 0);
        }
    }

    /// <summary>
    /// Follows contents from the page that a frame was mapped at to the swap entry that takes the place of its entry there: a word a frame
    /// has a bit for each such page.
    /// </summary>
    public override void OnEntryChanged(MachineState state, AddressSpace space, int page, Pte old, Pte value)
    {
        if (!ReclaimMeetsDiscarded)
        {
            return;
        }

        ulong place = 1UL << ((space.Index * _machine.Paging.PageCount) + page);
        if (old.MapsFrame)
        {
            state.Write(_places + old.Frame, state.Read(_places + old.Frame) | place);
        }

        for (int frame = 0; frame < _machine.Paging.Frames.Count && (value.IsSwap || value.MapsFrame); frame++)
        {
            ulong places = state.Read(_places + frame);
            if ((places & place) != 0)
            {
                state.Write(_places + frame, value.IsSwap ? places | Swapped : places & ~place);
            }
        }
    }

    /// <inheritdoc/>
    public override void AddEntryChangedFootprint(Footprint footprint, int page)
    {
        for (int frame = 0; ReclaimMeetsDiscarded && frame < _machine.Paging.Frames.Count; frame++)
        {
            footprint.Write(_places + frame);
        }
    }

    /// <inheritdoc/>
    public override void AddAccessFootprint(Footprint footprint, AddressSpace? space, int page)
    {
        for (int frame = 0; frame < _machine.Paging.Frames.Count; frame++)
        {
            footprint.Write(_modified + frame);
        }
    }

    /// <inheritdoc/>
    public override void AddFrameFootprint(Footprint footprint, int frame)
    {
        footprint.Write(_modified + frame);
        if (ReclaimMeetsDiscarded)
        {
            footprint.Write(_places + frame);
        }

        if (_givesUp)
        {
            footprint.Read(_givingUp);
        }
    }

    /// <summary>True if the frame can hold a page of the range: the pages of a colour take their frames from it, wherever they are moved.</summary>
    private bool MayHold(Promise promise, int frame)
    {
        int colours = _machine.Options.FrameColours;
        return Enumerable.Range(promise.FirstPage, promise.PageCount).Any(page => page % colours == frame % colours);
    }

    private bool IsCached(MachineState state, int frame) => pageCache.Any(page => state.Read(page.Address) == (ulong)frame + 1);

    private bool IsKnownDirty(MachineState state, int frame)
    {
        if (state.Read(_machine.Paging.Frames[HugeFolios.FirstOf(Folios, state, frame)].Dirty.Address) != 0)
        {
            return true;
        }

        foreach (AddressSpace space in _machine.Paging.Spaces)
        {
            for (int page = 0; page < _machine.Paging.PageCount; page++)
            {
                Pte entry = TlbInspector.CurrentLeaf(state, space, page);
                if (entry.MapsFrame && entry.Dirty && entry.Frame == frame)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <inheritdoc/>
    protected override void AllocateWords(MachineModel machine)
    {
        _machine = machine;
        _modified = machine.AllocateRange("p_write.modified", WordKind.Hardware, machine.Paging.Frames.Count);
        for (int frame = 0; frame < machine.Paging.Frames.Count; frame++)
        {
            machine.Describe(_modified + frame, machine.Paging.PlaceOfFrame("p_write.modified", frame));
        }

        _givesUp = machine.Promises.Any(promise => promise.Kind == PromiseKind.ContentsGivenUp);
        if (_givesUp)
        {
            _givingUp = machine.AllocateRange("p_write.giving_up", WordKind.Hardware, 1);
        }

        if (!ReclaimMeetsDiscarded)
        {
            return;
        }

        if (machine.Paging.Spaces.Count * machine.Paging.PageCount > 63)
        {
            throw new ArgumentException("P-write follows swapped contents on machines of up to 63 pages", nameof(machine));
        }

        _places = machine.AllocateRange("p_write.places", WordKind.Hardware, machine.Paging.Frames.Count);
        for (int frame = 0; frame < machine.Paging.Frames.Count; frame++)
        {
            machine.Describe(_places + frame, machine.Paging.PlaceOfFrame("p_write.places", frame));
        }
    }
}
